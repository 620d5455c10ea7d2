using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Choices before they become a plan, see native/kernels/choices.cu.
public sealed unsafe partial class CudaBackend
{
    private const int MostFewTokens = 256; // as Fit in choose_few_tokens

    /// <inheritdoc/>
    public override void CountChoices(Ints choices, int groups, int N, int K, int counted, int E, float scale, Target counts)
    {
        if (counts.IsNone)
            return;
        int runs = Ceiling.Divide(E, ExpertsAtOnce), threads = (int)Math.Clamp((long)N * counted, WarpSize, 1024) / WarpSize * WarpSize;
        Launch("count_choices", new Grid(groups, runs, Threads: threads, SharedBytes: Math.Min(E, ExpertsAtOnce) * sizeof(int)), choices, N,
            K, counted, E, scale, counts);
    }

    /// <inheritdoc/>
    public override void KeepChoices(Ints choices, Floats keep, int n, Ints kept)
    {
        if (n > 0)
            Launch("keep_choices", Grid.Elements(n, each: 1), choices, keep, n, kept);
    }

    /// <inheritdoc/>
    public override void LimitCapacity(Ints choices, Floats priority, int N, int E, int K, int capacity, Ints kept)
    {
        if (N == 0)
            return;
        DeviceBuffer offsetScratch = Pool.Rent((E + 1L) * sizeof(int)), rowScratch = Pool.Rent((long)N * K * sizeof(int));
        Ints offsets = offsetScratch.As<int>(E + 1), choicesByRow = rowScratch.As<int>(N * K);
        SortByExpert(choices, N, E, K, N * K, offsets, tokens: default, choicesByRow, rowsByToken: default, tokenOffsets: default);
        Launch("limit_capacity", new Grid(E), choices, priority, offsets, choicesByRow, N, K, capacity, kept);
        Pool.Return(rowScratch);
        Pool.Return(offsetScratch);
    }

    /// <inheritdoc/>
    public override void ChooseTokens(Floats scores, int N, int E, int groups, bool interleaved, int active, Ints choices)
    {
        if (N == 0)
            return;
        bool few = N / groups <= MostFewTokens;
        Launch(few ? "choose_few_tokens" : "choose_tokens", Grid.Rows(groups * E, few ? Grid.BlockSize / WarpSize : 1), scores, N, E,
            groups, interleaved, active, choices);
    }

    /// <inheritdoc/>
    public override void LookUpChoices(Floats table, Ints ids, int N, int V, int K, Ints choices)
    {
        if (N > 0)
            Launch("look_up_choices", Grid.Elements((long)N * K, each: 1), table, ids, N, K, choices);
    }

    /// <inheritdoc/>
    public override void ChooseInGroups(Ints groups, Ints best, int N, int G, int M, int A, int K, Ints choices)
    {
        if (N > 0)
            Launch("choose_in_groups", Grid.Elements((long)N * A * K, each: 1), groups, best, N, G, M, A, K, choices);
    }
}
