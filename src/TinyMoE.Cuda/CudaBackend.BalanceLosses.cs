using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// native/kernels/balance_losses.cu
public sealed unsafe partial class CudaBackend
{
    /// <inheritdoc/>
    public override void BalanceLossForward(Floats p, Floats shares, Floats mask, float scale, int groups, int N, int E, Floats loss)
    {
        Grid grid = WalkGrid(N / groups, E, rows: 8) with { Y = groups };
        int blocks = grid.X * groups;
        DeviceBuffer scratch = Pool.Rent((long)Math.Max(1, blocks) * sizeof(float));
        Floats partial = scratch.As<float>(blocks);              // (groups, blocks)
        Launch("balance_loss_forward", grid, p, shares, mask, blocks == 1 ? scale : 1f, N / groups, E, blocks == 1 ? loss : partial);
        if (blocks != 1)
            SumColumns(partial, scale, 1, blocks, loss);
        Pool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void BalanceLossBackward(Floats dloss, Floats shares, Floats mask, float scale, int groups, int N, int E, Target dp)
    {
        if (!dp.IsNone)
            Launch("balance_loss_backward", WalkGrid(N / groups, E, rows: 8) with { Y = groups }, dloss, shares, mask, scale, N / groups, E,
                dp);
    }

    /// <inheritdoc/>
    public override void SquaredVariationForward(Floats x, float eps, int n, Floats y) =>
        Launch("squared_variation_forward", new Grid(1, Threads: Math.Max(WarpSize, TeamOf(n))), x, eps, n, y);

    /// <inheritdoc/>
    public override void SquaredVariationBackward(Floats dy, Floats x, float eps, int n, Target dx)
    {
        if (!dx.IsNone)
            Launch("squared_variation_backward", new Grid(1, Threads: Math.Max(WarpSize, TeamOf(n))), dy, x, eps, n, dx);
    }

    /// <inheritdoc/>
    public override void SmoothLoadForward(
        Floats clean, Floats noisy, Floats sigma, Ints best, Floats mask, int N, int E, int K, Floats load)
    {
        int rows = RowsPerBlock(N, E), blocks = Math.Max(1, Ceiling.Divide(N, rows));
        DeviceBuffer scratch = Pool.Rent((long)blocks * E * sizeof(float));
        Floats partials = scratch.As<float>(blocks * E);         // (blocks, E)
        Launch("smooth_load_forward", TileGrid(E, blocks), clean, noisy, sigma, best, mask, N, E, K, rows,
            (Target)(blocks > 1 ? partials : load));
        if (blocks > 1)
            AddPartials(partials, blocks, E, load);
        Pool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void SmoothLoadBackward(
        Floats dload, Floats clean, Floats noisy, Floats sigma, Ints best, Floats mask, int N, int E, int K, Target dclean, Target dnoisy,
        Target dsigma)
    {
        if (!dclean.IsNone || !dnoisy.IsNone || !dsigma.IsNone)
            Launch("smooth_load_backward", TeamGrid(N, E), dload, clean, noisy, sigma, best, mask, N, E, K, dclean, dnoisy, dsigma);
    }
}
