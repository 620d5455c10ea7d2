using System.Numerics;
using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// native/kernels/embedding.cu. The ids are not looked at here, that would be a
// wait for the device: an id that is no row of the table gives a row of NaN.
public sealed unsafe partial class CudaBackend
{
    private const int DigitBits = 8; // as in embedding.cu

    /// <summary>Rows that are sorted in one launch; of more, its threads would look through too many: at 2048 they took 0.1 ms.</summary>
    private const int MostRowsOfOneSort = 512;

    private const int LeastRowsOfSort = 128, MostSortPieces = 256; // of a piece; of pieces

    /// <inheritdoc/>
    protected override void EmbeddingForward(Weights table, Ints ids, int N, int V, int C, Floats y)
    {
        if (table.Type == ElementType.Float32)
            CopyRows(table.Float32, ids, N, V, C, y);
        else if (table.Type is ElementType.Bfloat16 or ElementType.Float16 && !table.LieApart)
            WidenRows(table, ids, N, V, C, y);
        else
            throw table.NotSupportedBy("CUDA", nameof(EmbeddingForward));
    }

    /// <inheritdoc/>
    protected override void EmbeddingBackward(Floats dy, Ints ids, int N, int V, int C, Target dtable)
    {
        if (dtable.IsNone || V == 0)
            return;
        DeviceBuffer scratch = SortRows(ids, N, V, out Ints starts, out Ints rows);
        Launch("embedding_backward", GridOfTable(V, C), dy, starts, rows, V, C, dtable);
        Pool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void EmbeddingForward(Weights table, Ints ids, int N, int V, int C, Values y)
    {
        if (AreNarrow(y) && table.Type == ElementType.Bfloat16 && !table.LieApart)
            Launch("embedding_forward_bfloat16", WalkGrid(N, C, rows: 4), table.Bfloat16, ids, N, V, C, Narrow(y));
        else
            base.EmbeddingForward(table, ids, N, V, C, y);
    }

    /// <inheritdoc/>
    public override void EmbeddingBackward(Values dy, Ints ids, int N, int V, int C, Target dtable)
    {
        if (!AreNarrow(dy) || dtable.Type != ElementType.Float32 || dtable.IsNone || V == 0)
        {
            base.EmbeddingBackward(dy, ids, N, V, C, dtable);
            return;
        }

        DeviceBuffer scratch = SortRows(ids, N, V, out Ints starts, out Ints rows);
        Launch("embedding_backward_bfloat16", GridOfTable(V, C), Narrow(dy), starts, rows, V, C, dtable);
        Pool.Return(scratch);
    }

    /// <summary>The rows of each id, one id's behind the other's: from starts[v] to before starts[v + 1] of rows. They lie in the
    /// result.</summary>
    private DeviceBuffer SortRows(Ints ids, int N, int V, out Ints starts, out Ints rows)
    {
        DeviceBuffer scratch = Pool.Rent(((long)V + 1 + N) * sizeof(int));
        Ints all = scratch.As<int>(V + 1 + N);
        (starts, rows) = (all.Slice(0, V + 1), all.Slice(V + 1, N));
        if (N <= MostRowsOfOneSort)
            Launch("embedding_sort", new Grid(Ceiling.Divide(V, Grid.BlockSize)), ids, N, V, starts, rows);
        else
            SortRowsByDigits(ids, N, V, starts, rows);
        return scratch;
    }

    /// <summary>A block for up to 128 columns of some rows of a table (V, C).</summary>
    private static Grid GridOfTable(int V, int C) => new(Ceiling.Divide(V, Grid.BlockSize / LanesOfFours(C)), Y: TileGrid(C, 1).X);

    /// <summary>The rows by id, digit by digit from the lowest: three launches each, see embedding.cu.</summary>
    private void SortRowsByDigits(Ints ids, int N, int V, Ints starts, Ints rows)
    {
        int passes = Math.Max(1, Ceiling.Divide(BitOperations.Log2((uint)Math.Max(1, V - 1)) + 1, DigitBits));
        int each = Ceiling.Divide(Math.Max(LeastRowsOfSort, Ceiling.Divide(N, MostSortPieces)), WarpSize) * WarpSize;
        int pieces = Ceiling.Divide(N, each), length = (1 << DigitBits) * pieces + 4;
        Grid grid = new(Ceiling.Divide(pieces, Grid.BlockSize / WarpSize));
        DeviceBuffer tableScratch = Pool.Rent((long)length * sizeof(int));
        DeviceBuffer? orderScratch = passes == 1 ? null : Pool.Rent(3L * N * sizeof(int));
        Ints table = tableScratch.As<int>(length), order = orderScratch?.As<int>(3 * N) ?? default;
        Ints sorted = default, sortedRows = default; // after the passes so far
        for (int pass = 0; pass < passes; pass++)
        {
            bool isEven = (passes - pass) % 2 == 0;
            Ints from = pass == 0 ? ids : sorted, to = passes == 1 ? default : order.Slice(isEven ? N : 0, N);
            Ints toRows = isEven ? order.Slice(2 * N, N) : rows; // the last pass is an odd one
            Launch("embedding_count", grid, from, N, V, pass * DigitBits, each, pieces, table);
            Launch("embedding_sum", new Grid(1, Threads: 1024), length, table);
            Launch("embedding_place", grid, from, sortedRows, N, V, pass * DigitBits, each, pieces, table, to, toRows,
                passes == 1 ? starts : default);
            (sorted, sortedRows) = (to, toRows);
        }

        if (passes > 1)
            Launch("embedding_starts", Grid.Rows(V + 1, Grid.BlockSize), sorted, N, V, starts);
        if (orderScratch is not null)
            Pool.Return(orderScratch);
        Pool.Return(tableScratch);
    }

    private void CopyRows(Floats table, Ints ids, int N, int V, int C, Floats y) =>
        Launch("embedding_forward", WalkGrid(N, C, rows: 4), table, ids, N, V, C, y);

    /// <summary>Rows of pairs of 16-bit values are copied as rows of half as many
    /// words, and then widened; of an odd length the whole table is.</summary>
    private void WidenRows(Weights table, Ints ids, int N, int V, int C, Floats y)
    {
        bool inPairs = C % 2 == 0;
        long widened = inPairs ? (long)N * C : (long)V * C;
        DeviceBuffer scratch = Pool.Rent(inPairs ? widened * sizeof(ushort) : widened * sizeof(float));
        if (inPairs)
        {
            CopyRows(new Floats(table.Address, V * (C / 2)), ids, N, V, C / 2, scratch.As<float>(N * (C / 2)));
            Widen(Weights.Of(table.Type, scratch.As<ushort>((int)widened)), widened, y);
        }
        else
        {
            Widen(table, widened, scratch.As<float>((int)widened));
            CopyRows(scratch.As<float>((int)widened), ids, N, V, C, y);
        }

        Pool.Return(scratch);
    }
}
