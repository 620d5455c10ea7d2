using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// native/kernels/reduce.cu. A long sum is two launches of one kernel: pieces into scratch memory, then the pieces.
public sealed unsafe partial class CudaBackend
{
    /// <summary>Columns that one block sums; longer rows are cut.</summary>
    private const int LongestRun = 16 * 1024;

    /// <inheritdoc/>
    protected override void SumRows(Floats x, float scale, int N, int C, Target y) => SumRows("sum_rows", x, scale, N, C, y);

    /// <inheritdoc/>
    public override void SumRows(Values x, float scale, int N, int C, Target y)
    {
        if (AreNarrow(x) && y.Type == ElementType.Float32)
            SumRows("sum_rows_bfloat16", Narrow(x), scale, N, C, y);
        else
            base.SumRows(x, scale, N, C, y);
    }

    private void SumRows(string kernel, Argument x, float scale, int N, int C, Target y)
    {
        if (y.IsNone)
            return;
        int rows = RowsPerBlock(N, C), blocks = Ceiling.Divide(N, rows);
        if (blocks <= 1)
        {
            Launch(kernel, TileGrid(C, 1), x, scale, N, C, rows, y);
            return;
        }

        DeviceBuffer scratch = Pool.Rent((long)blocks * C * sizeof(float));
        Floats partials = scratch.As<float>(blocks * C); // (blocks, C)
        Launch(kernel, TileGrid(C, blocks), x, scale, N, C, rows, (Target)partials);
        AddPartials(partials, blocks, C, y);
        Pool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void SumColumns(Floats x, float scale, int N, int C, Target y)
    {
        if (y.IsNone)
            return;
        int runs = Ceiling.Divide(C, LongestRun);
        if (runs <= 1)
        {
            Launch("sum_columns", TeamGrid(N, C), x, scale, N, C, Math.Max(1, C), y);
            return;
        }

        DeviceBuffer scratch = Pool.Rent((long)N * runs * sizeof(float));
        Floats sums = scratch.As<float>(N * runs); // (N, runs)
        Launch("sum_columns", TeamGrid((long)N * runs, LongestRun), x, scale, N, C, LongestRun, (Target)sums);
        Launch("sum_columns", TeamGrid(N, runs), sums, 1f, N, runs, runs, y);
        Pool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void BroadcastRows(Floats x, float scale, int N, int C, Target y)
    {
        if (!y.IsNone)
            Launch("broadcast_rows", WalkGrid(N, C, rows: 8), x, scale, N, C, y);
    }

    /// <inheritdoc/>
    public override void BroadcastColumns(Floats x, float scale, int N, int C, Target y)
    {
        if (!y.IsNone)
            Launch("broadcast_columns", WalkGrid(N, C, rows: 4), x, scale, N, C, y);
    }
}
