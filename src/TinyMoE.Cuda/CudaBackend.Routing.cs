using System.Numerics;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Top-k routing, logits to plan: a counting sort on the device, see native/kernels/routing.cu.
public sealed unsafe partial class CudaBackend
{
    private const int MostSharedBytes = 47 * 1024; // a kernel's own reductions take some of the 48 KB
    private const int ExpertsAtOnce = 4096; // as in ranking.cuh

    /// <inheritdoc/>
    public override void TopK(Floats x, int N, int groups, int E, int K, Ints columns)
    {
        int rows = N * groups, lanes = LanesOf(E);
        StagedRows staged = new(E, lanes, besides: 0);
        Launch("top_k", Grid.Rows(rows, staged.Threads / lanes) with { Threads = staged.Threads, SharedBytes = staged.Bytes }, x, rows,
            groups, E, K, lanes, staged.Fit, columns);
    }

    /// <inheritdoc/>
    public override void Assign(
        Ints experts, int N, int E, int K, int rows, Ints offsets, Ints tokens, Ints choices, Ints rowsByToken, Ints tokenOffsets,
        Floats gates = default, Floats rowGates = default)
    {
        SortByExpert(experts, N, E, K, rows, offsets, tokens, choices, rowsByToken, tokenOffsets, gates, rowGates);
        PublishOffsets(offsets);
    }

    /// <inheritdoc/>
    public override void RouteForward(
        Floats logits, bool overAll, int N, int E, int K, Ints experts, Ints offsets, Ints tokens, Ints rowsByToken, Ints tokenOffsets,
        Floats rowGates)
    {
        SortPlan sort = new(N, E);
        int lanes = LanesOf(E);
        StagedRows staged = new(E, lanes, besides: sort.CounterBytes);
        DeviceBuffer tableScratch = Pool.Rent((long)sort.TableLength * sizeof(int));
        DeviceBuffer exponentialScratch = Pool.Rent((long)N * K * sizeof(float)), sumScratch = Pool.Rent((long)N * sizeof(float));
        Ints table = tableScratch.As<int>(sort.TableLength);
        Floats exponentials = exponentialScratch.As<float>(N * K), sums = sumScratch.As<float>(N);
        if (sort is { Pieces: 1, ExpertRuns: 1 } && staged.Threads == Grid.BlockSize)
        {
            Launch("route_small", new Grid(1, SharedBytes: sort.CounterBytes + staged.Bytes), logits, overAll, N, E, K, lanes, staged.Fit,
                sort.TableLength,
                experts, exponentials, sums, table, offsets, tokens, rowsByToken, tokenOffsets, rowGates);
        }
        else
        {
            Launch("route_choose", sort.Grid(staged.Threads, staged.Bytes), logits, overAll, N, E, K, lanes, sort.TokensPerPiece,
                staged.Fit, experts, exponentials, sums, table);
            Launch("route_sum", new Grid(1, Threads: 1024), sort.TableLength, table);
            Launch("route_place", sort.Grid(WarpSize), experts, exponentials, sums, table, N, E, K, N * K, sort.TokensPerPiece,
                offsets, tokens, default(Ints), rowsByToken, tokenOffsets, rowGates);
        }

        Pool.Return(sumScratch);
        Pool.Return(exponentialScratch);
        Pool.Return(tableScratch);
        PublishOffsets(offsets);
    }

    /// <inheritdoc/>
    public override void RouteBackward(
        Floats drowGates, Floats logits, Floats rowGates, bool overAll, Ints experts, Ints rowsByToken, int N, int E, int K, Target dlogits)
    {
        if (dlogits.IsNone)
            return;
        const int MostColumns = 512;
        int lanes = LanesOf(E), teams = Grid.BlockSize / lanes, window = Math.Min(E, MostColumns);
        Launch("route_backward", Grid.Rows(N, teams) with { SharedBytes = teams * 2 * window * sizeof(float) },
            drowGates, logits, rowGates, overAll, experts, rowsByToken, N, E, K, lanes, window, dlogits);
    }

    /// <inheritdoc/>
    public override void SelectColumns(Floats x, Ints columns, int N, int E, int K, Target y)
    {
        if (!y.IsNone && N * K > 0)
            Launch("select_columns", Grid.Elements((long)N * K, each: 1), x, columns, N, E, K, y);
    }

    /// <inheritdoc/>
    public override void ScatterColumns(Floats x, Ints columns, int N, int E, int K, Target y)
    {
        if (y.IsNone)
            return;
        const int MostColumns = 1024;
        int lanes = LanesOf(E), teams = Grid.BlockSize / lanes, window = Math.Min(E, MostColumns);
        Launch("scatter_columns", Grid.Rows(N, teams) with { SharedBytes = teams * window * sizeof(float) }, x, columns, N, E, K, lanes,
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

    /// <summary>The plan of Assign; of tokens, rowsByToken, tokenOffsets and rowGates only those that are wanted.</summary>
    private void SortByExpert(
        Ints experts, int N, int E, int K, int rows, Ints offsets, Ints tokens, Ints choices, Ints rowsByToken, Ints tokenOffsets,
        Floats gates = default, Floats rowGates = default)
    {
        SortPlan sort = new(N, E);
        DeviceBuffer scratch = Pool.Rent((long)sort.TableLength * sizeof(int));
        Ints table = scratch.As<int>(sort.TableLength);
        Launch("route_count", sort.Grid(Grid.BlockSize), experts, N, E, K, sort.TokensPerPiece, table);
        Launch("route_sum", new Grid(1, Threads: 1024), sort.TableLength, table);
        Launch("route_place", sort.Grid(WarpSize), experts, gates, default(Floats), table, N, E, K, rows, sort.TokensPerPiece,
            offsets, tokens, choices, rowsByToken, tokenOffsets, rowGates);
        Pool.Return(scratch);
    }

    /// <summary>Lanes of the team that works on a row: a power of two, a warp at most.</summary>
    private static int LanesOf(int columns) => (int)Math.Min(WarpSize, BitOperations.RoundUpToPowerOf2((uint)columns));

    /// <summary>How the tokens of a counting sort are cut into pieces: small ones
    /// to fill the card, but not so many that their table outweighs them.</summary>
    private readonly struct SortPlan
    {
        private const int LeastTokens = 32, MostPieces = 512;

        public SortPlan(int N, int E)
        {
            TokensPerPiece = Math.Max(LeastTokens, Ceiling.Divide(N, MostPieces));
            Pieces = Math.Max(1, Ceiling.Divide(N, TokensPerPiece));
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
