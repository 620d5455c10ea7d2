using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Kernel: native/kernels/rope.cu.
public sealed unsafe partial class CudaBackend
{
    /// <inheritdoc/>
    public override void Rope(Floats x, Floats cos, Floats sin, int B, int T, int H, int D, int start, bool inverse, Target y)
    {
        if (!y.IsNone)
            Launch("rope", Grid.Elements((long)B * T * (D / 2), each: 1), x, cos, sin, B * T, T, H, D, start, inverse, y);
    }
}
