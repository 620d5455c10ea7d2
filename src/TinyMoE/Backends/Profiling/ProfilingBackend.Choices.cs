using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void CountChoices(Ints choices, int groups, int T, int K, int counted, int E, float scale, Target counts)
    {
        using (Time(new(nameof(CountChoices), groups * T, K, E), flops: 0,
            values: Area(groups * T, counted) + Out(counts, Area(groups, E))))
            device?.CountChoices(choices, groups, T, K, counted, E, scale, counts);
    }

    /// <inheritdoc/>
    public override void KeepChoices(Ints choices, Floats keep, int n, Ints kept)
    {
        using (Time(new(nameof(KeepChoices), n), flops: 0, values: 3.0 * n))
            device?.KeepChoices(choices, keep, n, kept);
    }

    /// <inheritdoc/>
    public override void LimitCapacity(Ints choices, Floats priority, int T, int E, int K, int capacity, Ints kept)
    {
        using (Time(new(nameof(LimitCapacity), T, E, K), flops: 0, values: (priority.IsNone ? 2 : 3) * Area(T, K)))
            device?.LimitCapacity(choices, priority, T, E, K, capacity, kept);
    }

    /// <inheritdoc/>
    public override void ChooseTokens(Floats scores, int T, int E, int groups, bool interleaved, int active, Ints choices)
    {
        using (Time(new(nameof(ChooseTokens), T, E, groups), flops: Area(T, E), values: 2 * Area(T, E)))
            device?.ChooseTokens(scores, T, E, groups, interleaved, active, choices);
    }

    /// <inheritdoc/>
    public override void LookUpChoices(Floats table, Ints ids, int T, int V, int K, Ints choices)
    {
        using (Time(new(nameof(LookUpChoices), T, K), flops: 0, values: T + 2.0 * T * K))
            device?.LookUpChoices(table, ids, T, V, K, choices);
    }

    /// <inheritdoc/>
    public override void ChooseInGroups(Ints groups, Ints best, int T, int G, int M, int A, int K, Ints choices)
    {
        using (Time(new(nameof(ChooseInGroups), T, G, A * K), flops: 0, values: Area(T, A) + 2.0 * T * A * K))
            device?.ChooseInGroups(groups, best, T, G, M, A, K, choices);
    }
}
