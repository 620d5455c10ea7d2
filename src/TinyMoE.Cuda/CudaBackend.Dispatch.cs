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
    protected override void CombineBackward(Floats dy, Floats x, Floats gates, Ints tokens, int rows, int N, int C, Target dx, Target dgates)
    {
        if (!dx.IsNone || !dgates.IsNone)
            Launch("combine_backward", Grid.Rows(rows, WarpsPerBlock), dy, x, gates, tokens, rows, C, dx, dgates);
    }
}
