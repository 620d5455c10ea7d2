using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void CountChoices(Ints choices, int groups, int N, int K, int counted, int E, float scale, Target counts)
    {
        using (Time(new(nameof(CountChoices), groups * N, K, E), flops: 0,
            values: Area(groups * N, counted) + Out(counts, Area(groups, E))))
            device?.CountChoices(choices, groups, N, K, counted, E, scale, counts);
    }

    /// <inheritdoc/>
    public override void KeepChoices(Ints choices, Floats keep, int n, Ints kept)
    {
        using (Time(new(nameof(KeepChoices), n), flops: 0, values: 3.0 * n))
            device?.KeepChoices(choices, keep, n, kept);
    }

    /// <inheritdoc/>
    public override void LimitCapacity(Ints choices, Floats priority, int N, int E, int K, int capacity, Ints kept)
    {
        using (Time(new(nameof(LimitCapacity), N, E, K), flops: 0, values: (priority.IsNone ? 2 : 3) * Area(N, K)))
            device?.LimitCapacity(choices, priority, N, E, K, capacity, kept);
    }

    /// <inheritdoc/>
    public override void ChooseTokens(Floats scores, int N, int E, int groups, bool interleaved, int active, Ints choices)
    {
        using (Time(new(nameof(ChooseTokens), N, E, groups), flops: Area(N, E), values: 2 * Area(N, E)))
            device?.ChooseTokens(scores, N, E, groups, interleaved, active, choices);
    }

    /// <inheritdoc/>
    public override void LookUpChoices(Floats table, Ints ids, int N, int V, int K, Ints choices)
    {
        using (Time(new(nameof(LookUpChoices), N, K), flops: 0, values: N + 2.0 * N * K))
            device?.LookUpChoices(table, ids, N, V, K, choices);
    }

    /// <inheritdoc/>
    public override void ChooseInGroups(Ints groups, Ints best, int N, int G, int M, int A, int K, Ints choices)
    {
        using (Time(new(nameof(ChooseInGroups), N, G, A * K), flops: 0, values: Area(N, A) + 2.0 * N * A * K))
            device?.ChooseInGroups(groups, best, N, G, M, A, K, choices);
    }
}
