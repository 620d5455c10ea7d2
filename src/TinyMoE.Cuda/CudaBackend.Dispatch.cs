using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Whole rows to their experts and back, see native/kernels/dispatch.cu: a warp per token, or per row.
public sealed unsafe partial class CudaBackend
{
    private const int WarpsPerBlock = Grid.BlockSize / WarpSize;

    /// <inheritdoc/>
    public override void DispatchForward(Floats x, Ints tokens, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Floats y)
    {
        if (N > 0)
            Launch("dispatch_forward", Grid.Rows(T, WarpsPerBlock), x, tokenOffsets, rowsByToken, N, T, C, y);
    }

    /// <inheritdoc/>
    public override void DispatchBackward(Floats dy, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Target dx)
    {
        if (!dx.IsNone)
            Launch("dispatch_backward", Grid.Rows(T, WarpsPerBlock), dy, tokenOffsets, rowsByToken, T, C, dx);
    }

    /// <inheritdoc/>
    public override void CombineForward(Floats x, Floats w, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Floats y) =>
        Launch("combine_forward", Grid.Rows(T, WarpsPerBlock), x, w, tokenOffsets, rowsByToken, T, C, y);

    /// <inheritdoc/>
    public override void CombineBackward(Floats dy, Floats x, Floats w, Ints tokens, int N, int T, int C, Target dx, Target dw)
    {
        if (!dx.IsNone || !dw.IsNone)
            Launch("combine_backward", Grid.Rows(N, WarpsPerBlock), dy, x, w, tokens, N, C, dx, dw);
    }
}
