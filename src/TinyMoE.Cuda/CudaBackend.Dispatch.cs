using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Whole rows to their experts and back, see native/kernels/dispatch.cu: a warp per token, or per row.
public sealed unsafe partial class CudaBackend
{
    private const int WarpsPerBlock = Grid.BlockSize / WarpSize;

    /// <inheritdoc/>
    protected override void DispatchForward(Floats x, Ints tokens, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Floats y)
    {
        if (rows > 0)
            Launch("dispatch_forward", Grid.Rows(N, WarpsPerBlock), x, tokenOffsets, rowsByToken, rows, N, C, y);
    }

    /// <inheritdoc/>
    protected override void DispatchBackward(Floats dy, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Target dx)
    {
        if (!dx.IsNone)
            Launch("dispatch_backward", Grid.Rows(N, WarpsPerBlock), dy, tokenOffsets, rowsByToken, N, C, dx);
    }

    /// <inheritdoc/>
    protected override void CombineForward(Floats x, Floats gates, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Floats y) =>
        Launch("combine_forward", Grid.Rows(N, WarpsPerBlock), x, gates, tokenOffsets, rowsByToken, N, C, y);

    /// <inheritdoc/>
    protected override void CombineBackward(
        Floats dy, Floats x, Floats gates, Ints tokens, int rows, int N, int C, Target dx, Target dgates)
    {
        if (!dx.IsNone || !dgates.IsNone)
            Launch("combine_backward", Grid.Rows(rows, WarpsPerBlock), dy, x, gates, tokens, rows, C, dx, dgates);
    }

    /// <inheritdoc/>
    public override void DispatchForward(Values x, Ints tokens, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Values y)
    {
        if (!AreNarrow(x, y))
            base.DispatchForward(x, tokens, tokenOffsets, rowsByToken, rows, N, C, y);
        else if (rows > 0)
            Launch("dispatch_forward_bfloat16", Grid.Rows(N, WarpsPerBlock), Narrow(x), tokenOffsets, rowsByToken, rows, N, C, Narrow(y));
    }

    /// <inheritdoc/>
    public override void DispatchBackward(Values dy, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Target dx)
    {
        if (!AreNarrow(dy, dx.Values))
            base.DispatchBackward(dy, tokenOffsets, rowsByToken, rows, N, C, dx);
        else if (!dx.IsNone)
            Launch("dispatch_backward_bfloat16", Grid.Rows(N, WarpsPerBlock), Narrow(dy), tokenOffsets, rowsByToken, N, C, Narrow(dx));
    }

    /// <inheritdoc/>
    public override void CombineForward(Values x, Floats gates, Ints tokenOffsets, Ints rowsByToken, int rows, int N, int C, Values y)
    {
        if (AreNarrow(x, y))
            Launch("combine_forward_bfloat16", Grid.Rows(N, WarpsPerBlock), Narrow(x), gates, tokenOffsets, rowsByToken, N, C, Narrow(y));
        else
            base.CombineForward(x, gates, tokenOffsets, rowsByToken, rows, N, C, y);
    }

    /// <inheritdoc/>
    public override void CombineBackward(Values dy, Values x, Floats gates, Ints tokens, int rows, int N, int C, Target dx, Target dgates)
    {
        if (!AreNarrow(dy, x, dx.Values))
            base.CombineBackward(dy, x, gates, tokens, rows, N, C, dx, dgates);
        else if (!dx.IsNone || !dgates.IsNone)
            Launch("combine_backward_bfloat16", Grid.Rows(rows, WarpsPerBlock), Narrow(dy), Narrow(x), gates, tokens, rows, C, Narrow(dx),
                dgates);
    }
}
