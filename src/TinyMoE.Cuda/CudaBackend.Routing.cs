using System.Numerics;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Top-k routing, logits to plan: a counting sort on the device, see native/kernels/routing.cu.
public sealed unsafe partial class CudaBackend
{
    private const int MostSharedBytes = 47 * 1024; // a kernel's own reductions take some of the 48 KB
    private const int ExpertsAtOnce = 4096; // as in ranking.cuh

    /// <inheritdoc/>
    public override void TopK(Floats x, int T, int groups, int E, int K, Ints columns)
    {
        int rows = T * groups, lanes = LanesOf(E);
        StagedRows staged = new(E, lanes, besides: 0);
        Launch("top_k", Grid.Rows(rows, staged.Threads / lanes) with { Threads = staged.Threads, SharedBytes = staged.Bytes }, x, rows,
            groups, E, K, lanes, staged.Fit, columns);
    }

    /// <inheritdoc/>
    public override void Assign(
        Ints experts, int T, int E, int K, int N, Ints offsets, Ints tokens, Ints choices, Ints rowsByToken, Ints tokenOffsets,
        Floats gates = default, Floats weights = default)
    {
        SortByExpert(experts, T, E, K, N, offsets, tokens, choices, rowsByToken, tokenOffsets, gates, weights);
        PublishOffsets(offsets);
    }

    /// <inheritdoc/>
    public override void RouteForward(
        Floats logits, bool overAll, int T, int E, int K, Ints experts, Ints offsets, Ints tokens, Ints rowsByToken, Ints tokenOffsets,
        Floats weights)
    {
        SortPlan sort = new(T, E);
        int lanes = LanesOf(E);
        StagedRows staged = new(E, lanes, besides: sort.CounterBytes);
        DeviceBuffer tableScratch = Pool.Rent((long)sort.TableLength * sizeof(int));
        DeviceBuffer exponentialScratch = Pool.Rent((long)T * K * sizeof(float)), sumScratch = Pool.Rent((long)T * sizeof(float));
        Ints table = tableScratch.As<int>(sort.TableLength);
        Floats exponentials = exponentialScratch.As<float>(T * K), sums = sumScratch.As<float>(T);
        if (sort is { Pieces: 1, ExpertRuns: 1 } && staged.Threads == Grid.BlockSize)
        {
            Launch("route_small", new Grid(1, SharedBytes: sort.CounterBytes + staged.Bytes), logits, overAll, T, E, K, lanes, staged.Fit,
                sort.TableLength,
                experts, exponentials, sums, table, offsets, tokens, rowsByToken, tokenOffsets, weights);
        }
        else
        {
            Launch("route_choose", sort.Grid(staged.Threads, staged.Bytes), logits, overAll, T, E, K, lanes, sort.TokensPerPiece,
                staged.Fit, experts, exponentials, sums, table);
            Launch("route_sum", new Grid(1, Threads: 1024), sort.TableLength, table);
            Launch("route_place", sort.Grid(WarpSize), experts, exponentials, sums, table, T, E, K, T * K, sort.TokensPerPiece,
                offsets, tokens, default(Ints), rowsByToken, tokenOffsets, weights);
        }

        Pool.Return(sumScratch);
        Pool.Return(exponentialScratch);
        Pool.Return(tableScratch);
        PublishOffsets(offsets);
    }

    /// <inheritdoc/>
    public override void RouteBackward(
        Floats dweights, Floats logits, Floats weights, bool overAll, Ints experts, Ints rowsByToken, int T, int E, int K, Target dlogits)
    {
        if (dlogits.IsNone)
            return;
        const int MostColumns = 512;
        int lanes = LanesOf(E), teams = Grid.BlockSize / lanes, window = Math.Min(E, MostColumns);
        Launch("route_backward", Grid.Rows(T, teams) with { SharedBytes = teams * 2 * window * sizeof(float) },
            dweights, logits, weights, overAll, experts, rowsByToken, T, E, K, lanes, window, dlogits);
    }

    /// <inheritdoc/>
    public override void SelectColumns(Floats x, Ints columns, int T, int E, int K, Target y)
    {
        if (!y.IsNone && T * K > 0)
            Launch("select_columns", Grid.Elements((long)T * K, each: 1), x, columns, T, E, K, y);
    }

    /// <inheritdoc/>
    public override void ScatterColumns(Floats x, Ints columns, int T, int E, int K, Target y)
    {
        if (y.IsNone)
            return;
        const int MostColumns = 1024;
        int lanes = LanesOf(E), teams = Grid.BlockSize / lanes, window = Math.Min(E, MostColumns);
        Launch("scatter_columns", Grid.Rows(T, teams) with { SharedBytes = teams * window * sizeof(float) }, x, columns, T, E, K, lanes,
            window, y);
    }

    /// <inheritdoc/>
    public override void Scatter(Floats x, Ints indices, int n, int length, Target y)
    {
        if (y.IsNone)
            return;
        if (!y.Adds)
            Fill(y.View, 0f);
        if (n > 0)
            Launch("scatter", Grid.Elements(n, each: 1), x, indices, n, y);
    }

    /// <summary>The plan of Assign; of tokens, rowsByToken, tokenOffsets and weights only those that are wanted.</summary>
    private void SortByExpert(
        Ints experts, int T, int E, int K, int N, Ints offsets, Ints tokens, Ints choices, Ints rowsByToken, Ints tokenOffsets,
        Floats gates = default, Floats weights = default)
    {
        SortPlan sort = new(T, E);
        DeviceBuffer scratch = Pool.Rent((long)sort.TableLength * sizeof(int));
        Ints table = scratch.As<int>(sort.TableLength);
        Launch("route_count", sort.Grid(Grid.BlockSize), experts, T, E, K, sort.TokensPerPiece, table);
        Launch("route_sum", new Grid(1, Threads: 1024), sort.TableLength, table);
        Launch("route_place", sort.Grid(WarpSize), experts, gates, default(Floats), table, T, E, K, N, sort.TokensPerPiece,
            offsets, tokens, choices, rowsByToken, tokenOffsets, weights);
        Pool.Return(scratch);
    }

    /// <summary>Lanes of the team that works on a row: a power of two, a warp at most.</summary>
    private static int LanesOf(int columns) => (int)Math.Min(WarpSize, BitOperations.RoundUpToPowerOf2((uint)columns));

    /// <summary>How the tokens of a counting sort are cut into pieces: small ones
    /// to fill the card, but not so many that their table outweighs them.</summary>
    private readonly struct SortPlan
    {
        private const int LeastTokens = 32, MostPieces = 512;

        public SortPlan(int T, int E)
        {
            TokensPerPiece = Math.Max(LeastTokens, Ceiling.Divide(T, MostPieces));
            Pieces = Math.Max(1, Ceiling.Divide(T, TokensPerPiece));
            TableLength = ((E + 1) * Pieces + 3) / 4 * 4;
            ExpertRuns = Ceiling.Divide(E, ExpertsAtOnce);
            CounterBytes = Math.Min(E, ExpertsAtOnce) * sizeof(int);
        }

        public int TokensPerPiece { get; }

        public int Pieces { get; }

        /// <summary>Of the counts (E + 1, pieces), to a multiple of four.</summary>
        public int TableLength { get; }

        /// <summary>Runs of experts whose counters fit shared memory.</summary>
        public int ExpertRuns { get; }

        public int CounterBytes { get; }

        /// <summary>A block for each piece and each run of experts, with room for its counters and more.</summary>
        public Grid Grid(int threads, int sharedBytes = 0) =>
            new(Pieces, ExpertRuns, Threads: threads, SharedBytes: CounterBytes + sharedBytes);
    }

    /// <summary>Shared memory for a row of E values per team, in blocks of as many warps as
    /// fit; a row that does not fit at all is read from global memory each time.</summary>
    private readonly struct StagedRows
    {
        public StagedRows(int E, int lanes, int besides)
        {
            long bytesPerWarp = WarpSize / lanes * (long)E * sizeof(float);
            int warps = (int)Math.Min(Grid.BlockSize / WarpSize, (MostSharedBytes - besides) / bytesPerWarp);
            Fit = warps > 0;
            Threads = Fit ? warps * WarpSize : Grid.BlockSize;
            Bytes = warps * (int)bytesPerWarp;
        }

        public bool Fit { get; }

        public int Threads { get; }

        public int Bytes { get; }
    }
}
