using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// native/kernels/softmax.cu
public sealed unsafe partial class CudaBackend
{
    /// <summary>Rows whose losses one block adds up, and of more, those of a block: four per thread, for blocks enough.</summary>
    private const int MostRowsOfOneMean = 2048, RowsOfMean = 1024;

    /// <inheritdoc/>
    public override void SoftmaxForward(Floats x, int N, int C, Floats y) => Launch("softmax_forward", TeamGrid(N, C), x, N, C, y);

    /// <inheritdoc/>
    public override void SoftmaxBackward(Floats dy, Floats y, int N, int C, Target dx)
    {
        if (!dx.IsNone)
            Launch("softmax_backward", TeamGrid(N, C), dy, y, N, C, dx);
    }

    /// <inheritdoc/>
    public override void LogSumExpForward(Floats x, int N, int C, Floats y) => Launch("log_sum_exp_forward", TeamGrid(N, C), x, N, C, y);

    /// <inheritdoc/>
    public override void LogSumExpBackward(Floats dy, Floats x, Floats y, int N, int C, Target dx)
    {
        if (!dx.IsNone)
            Launch("log_sum_exp_backward", WalkGrid(N, C, rows: 4), dy, x, y, N, C, dx);
    }

    /// <inheritdoc/>
    public override void CrossEntropyForward(Floats logits, Ints targets, int N, int V, Floats loss, Floats logSumExp)
    {
        LogSumExpForward(logits, N, V, logSumExp);
        if (N <= MostRowsOfOneMean)
        {
            Launch("cross_entropy_mean", new Grid(1), logits, targets, logSumExp, N, V, loss);
            return;
        }

        int parts = Ceiling.Divide(N, RowsOfMean);
        DeviceBuffer sumScratch = Pool.Rent((long)parts * sizeof(double)), countScratch = Pool.Rent((long)parts * sizeof(int));
        View<double> sums = sumScratch.As<double>(parts);
        Ints counts = countScratch.As<int>(parts);
        Launch("cross_entropy_parts", new Grid(parts), logits, targets, logSumExp, N, V, RowsOfMean, sums, counts);
        Launch("cross_entropy_join", new Grid(1), sums, counts, parts, loss);
        Pool.Return(countScratch);
        Pool.Return(sumScratch);
    }

    /// <inheritdoc/>
    public override void CrossEntropyBackward(Floats dloss, Floats logits, Ints targets, Floats logSumExp, int N, int V, Target dlogits)
    {
        if (dlogits.IsNone || N == 0)
            return;
        DeviceBuffer scratch = Pool.Rent(sizeof(float));
        Floats scale = scratch.As<float>(1);
        Launch("cross_entropy_scale", new Grid(1, Threads: 1024), dloss, targets, N, scale);
        Launch("cross_entropy_backward", WalkGrid(N, V, rows: 4), scale, logits, targets, logSumExp, N, V, dlogits);
        Pool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void ZLossForward(Floats logits, Floats mask, float scale, int N, int E, Floats loss, Floats logSumExp)
    {
        Grid grid = TeamGrid(N, E, rowsPerTeam: 8);
        DeviceBuffer scratch = Pool.Rent((long)Math.Max(1, grid.X) * sizeof(float));
        Floats partial = scratch.As<float>(grid.X);              // (blocks)
        Launch("z_loss_forward", grid, logits, mask, grid.X == 1 ? scale : 1f, N, E, logSumExp, grid.X == 1 ? loss : partial);
        if (grid.X != 1)
            SumColumns(partial, scale, 1, grid.X, loss);
        Pool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void ZLossBackward(
        Floats dloss, Floats logits, Floats mask, Floats logSumExp, float scale, int N, int E, Target dlogits)
    {
        if (!dlogits.IsNone)
            Launch("z_loss_backward", WalkGrid(N, E, rows: 4), dloss, logits, mask, logSumExp, scale, N, E, dlogits);
    }
}
