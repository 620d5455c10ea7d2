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

    /// <inheritdoc/>
    public override void UnaryForward(Unary f, Values x, int n, Values y)
    {
        if (AreNarrow(x, y))
            Launch("unary_forward_bfloat16", Grid.Elements(n), (int)f, Narrow(x), n, Narrow(y));
        else
            base.UnaryForward(f, x, n, y);
    }

    /// <inheritdoc/>
    public override void UnaryBackward(Unary f, Values x, Values y, Values dy, int n, Target dx)
    {
        if (!AreNarrow(x, y, dy, dx.Values))
            base.UnaryBackward(f, x, y, dy, n, dx);
        else if (!dx.IsNone)
            Launch("unary_backward_bfloat16", Grid.Elements(n), (int)f, Narrow(x), Narrow(y), Narrow(dy), n, Narrow(dx));
    }

    /// <inheritdoc/>
    public override void BinaryForward(Binary f, Values a, Values b, Broadcast broadcast, int N, int C, Values y)
    {
        if (!AreNarrow(a, y))
        {
            base.BinaryForward(f, a, b, broadcast, N, C, y);
            return;
        }

        if (broadcast == Broadcast.None)
            (N, C) = (1, N * C); // rows do not matter
        if (b.Type == ElementType.Float32)
            Launch("binary_forward_bfloat16_float32", WalkGrid(N, C, rows: 4), (int)f, Narrow(a), b.Float32, (int)broadcast, N, C,
                Narrow(y));
        else
            Launch("binary_forward_bfloat16", WalkGrid(N, C, rows: 4), (int)f, Narrow(a), Narrow(b), (int)broadcast, N, C, Narrow(y));
    }

    /// <inheritdoc/>
    public override void BinaryBackward(Binary f, Values dy, Values a, Values b, Broadcast broadcast, int N, int C, Target da, Target db)
    {
        bool isNarrow = AreNarrow(dy, a, da.Values);
        if (isNarrow && broadcast == Broadcast.Column && b.Type == ElementType.Float32)
        {
            if (!da.IsNone || !db.IsNone)
                Launch("binary_backward_column_bfloat16", TeamGrid(N, C), (int)f, Narrow(dy), Narrow(a), b.Float32, N, C, Narrow(da), db);
        }
        else if (isNarrow && broadcast == Broadcast.None && AreNarrow(b, db.Values))
        {
            if (!da.IsNone || !db.IsNone)
                Launch("binary_backward_bfloat16", Grid.Elements((long)N * C), (int)f, Narrow(dy), Narrow(a), Narrow(b), N * C, Narrow(da),
                    Narrow(db));
        }
        else
        {
            base.BinaryBackward(f, dy, a, b, broadcast, N, C, da, db);
        }
    }

    /// <inheritdoc/>
    public override void Affine(Values x, float scale, float shift, int n, Target y)
    {
        if (!AreNarrow(x, y.Values))
            base.Affine(x, scale, shift, n, y);
        else if (!y.IsNone)
            Launch("affine_bfloat16", Grid.Elements(n), Narrow(x), scale, shift, n, Narrow(y));
    }

    /// <inheritdoc/>
    public override void ClampForward(Values x, float low, float high, int n, Values y)
    {
        if (AreNarrow(x, y))
            Launch("clamp_forward_bfloat16", Grid.Elements(n), Narrow(x), low, high, n, Narrow(y));
        else
            base.ClampForward(x, low, high, n, y);
    }

    /// <inheritdoc/>
    public override void ClampBackward(Values x, Values dy, float low, float high, int n, Target dx)
    {
        if (!AreNarrow(x, dy, dx.Values))
            base.ClampBackward(x, dy, low, high, n, dx);
        else if (!dx.IsNone)
            Launch("clamp_backward_bfloat16", Grid.Elements(n), Narrow(x), Narrow(dy), low, high, n, Narrow(dx));
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
