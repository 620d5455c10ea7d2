using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// native/kernels/elementwise.cu
public sealed unsafe partial class CudaBackend
{
    /// <inheritdoc/>
    protected override void UnaryForward(Unary f, Floats x, int n, Floats y) => Launch("unary_forward", Grid.Elements(n), (int)f, x, n, y);

    /// <inheritdoc/>
    protected override void UnaryBackward(Unary f, Floats x, Floats y, Floats dy, int n, Target dx)
    {
        if (!dx.IsNone)
            Launch("unary_backward", Grid.Elements(n), (int)f, x, y, dy, n, dx);
    }

    /// <inheritdoc/>
    protected override void BinaryForward(Binary f, Floats a, Floats b, Broadcast broadcast, int N, int C, Floats y)
    {
        if (broadcast == Broadcast.None)
            (N, C) = (1, N * C); // rows do not matter
        Launch("binary_forward", WalkGrid(N, C, rows: 4), (int)f, a, b, (int)broadcast, N, C, y);
    }

    /// <inheritdoc/>
    protected override void BinaryBackward(Binary f, Floats dy, Floats a, Floats b, Broadcast broadcast, int N, int C, Target da, Target db)
    {
        if (da.IsNone && db.IsNone)
            return;
        switch (broadcast)
        {
            case Broadcast.Row:
                BinaryBackwardRow(f, dy, a, b, N, C, da, db);
                break;
            case Broadcast.Column:
                Launch("binary_backward_column", TeamGrid(N, C), (int)f, dy, a, b, N, C, da, db);
                break;
            default:
                Launch("binary_backward", Grid.Elements((long)N * C), (int)f, dy, a, b, N * C, da, db);
                break;
        }
    }

    /// <inheritdoc/>
    protected override void Affine(Floats x, float scale, float shift, int n, Target y)
    {
        if (!y.IsNone)
            Launch("affine", Grid.Elements(n), x, scale, shift, n, y);
    }

    /// <inheritdoc/>
    protected override void ClampForward(Floats x, float low, float high, int n, Floats y) =>
        Launch("clamp_forward", Grid.Elements(n), x, low, high, n, y);

    /// <inheritdoc/>
    protected override void ClampBackward(Floats x, Floats dy, float low, float high, int n, Target dx)
    {
        if (!dx.IsNone)
            Launch("clamp_backward", Grid.Elements(n), x, dy, low, high, n, dx);
    }

    /// <summary>b met every row: its gradient is summed over the rows of each block, then over the blocks.</summary>
    private void BinaryBackwardRow(Binary f, Floats dy, Floats a, Floats b, int N, int C, Target da, Target db)
    {
        int rows = RowsPerBlock(N, C), blocks = Math.Max(1, Ceiling.Divide(N, rows));
        if (blocks == 1 || db.IsNone)
        {
            Launch("binary_backward_row", TileGrid(C, blocks), (int)f, dy, a, b, N, C, rows, da, db);
            return;
        }

        DeviceBuffer scratch = Pool.Rent((long)blocks * C * sizeof(float));
        Floats partials = scratch.As<float>(blocks * C); // (blocks, C)
        Launch("binary_backward_row", TileGrid(C, blocks), (int)f, dy, a, b, N, C, rows, da, (Target)partials);
        AddPartials(partials, blocks, C, db);
        Pool.Return(scratch);
    }
}
