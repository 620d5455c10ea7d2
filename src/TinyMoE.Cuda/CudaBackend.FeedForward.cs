using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// native/kernels/feed_forward.cu
public sealed unsafe partial class CudaBackend
{
    /// <inheritdoc/>
    public override void SwiGluForward(Floats gate, Floats up, int n, Floats y) =>
        Launch("swiglu_forward", Grid.Elements(n), gate, up, n, y);

    /// <inheritdoc/>
    public override void SwiGluBackward(
        Floats dy, Floats gate, Floats up, int n, Target dgate, Target dup, ElementType precision = ElementType.Float32)
    {
        if (!dgate.IsNone || !dup.IsNone)
            Launch("swiglu_backward", Grid.Elements(n), dy, gate, up, n, dgate, dup, precision == ElementType.Bfloat16);
    }
}
