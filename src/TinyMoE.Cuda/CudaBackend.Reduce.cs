using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// native/kernels/reduce.cu. A long sum is two launches of one kernel: pieces into scratch memory, then the pieces.
public sealed unsafe partial class CudaBackend
{
    /// <summary>Columns that one block sums; longer rows are cut.</summary>
    private const int LongestRun = 16 * 1024;

    /// <inheritdoc/>
    protected override void SumRows(Floats x, float scale, int N, int C, Target y)
    {
        if (y.IsNone)
            return;
        using RowSums sums = new(this, N, C, y);
        Launch("sum_rows", TileGrid(C, sums.Blocks), x, scale, N, C, sums.RowsOfBlock, sums.Target);
        sums.Add();
    }

    /// <inheritdoc/>
    public override void SumRows(Values x, float scale, int N, int C, Target y)
    {
        if (!AreNarrow(x) || y.IsNone || y.Type != ElementType.Float32)
        {
            base.SumRows(x, scale, N, C, y);
            return;
        }

        using RowSums sums = new(this, N, C, y);
        Launch("sum_rows_bfloat16", TileGrid(C, sums.Blocks), Narrow(x), scale, N, C, sums.RowsOfBlock, sums.Target);
        sums.Add();
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

    /// <summary>Where the sums over the rows of each block go: into y, or, of several blocks, into scratch and from there into y.</summary>
    private readonly ref struct RowSums
    {
        private readonly CudaBackend backend;
        private readonly DeviceBuffer? scratch;
        private readonly int C;
        private readonly Target y;

        public RowSums(CudaBackend backend, int N, int C, Target y)
        {
            (this.backend, this.C, this.y) = (backend, C, y);
            RowsOfBlock = RowsPerBlock(N, C);
            Blocks = Math.Max(1, Ceiling.Divide(N, RowsOfBlock));
            if (Blocks > 1)
                scratch = backend.Pool.Rent((long)Blocks * C * sizeof(float));
            Target = scratch?.As<float>(Blocks * C) ?? y; // (Blocks, C)
        }

        public int Blocks { get; }

        public int RowsOfBlock { get; }

        public Target Target { get; }

        /// <summary>Adds up what is in scratch.</summary>
        public void Add()
        {
            if (scratch is not null)
                backend.AddPartials(Target.View, Blocks, C, y);
        }

        public void Dispose()
        {
            if (scratch is not null)
                backend.Pool.Return(scratch);
        }
    }
}
