using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// native/kernels/feed_forward.cu
public sealed unsafe partial class CudaBackend
{
    /// <inheritdoc/>
    protected override void SwiGluForward(Floats gate, Floats up, int n, Floats y) =>
        Launch("swiglu_forward", Grid.Elements(n), gate, up, n, y);

    /// <inheritdoc/>
    protected override void SwiGluBackward(
        Floats dy, Floats gate, Floats up, int n, Target dgate, Target dup, ElementType precision = ElementType.Float32)
    {
        if (!dgate.IsNone || !dup.IsNone)
            Launch("swiglu_backward", Grid.Elements(n), dy, gate, up, n, dgate, dup, precision == ElementType.Bfloat16);
    }

    /// <inheritdoc/>
    protected override void ClampedSwiGluForward(Floats gate, Floats up, float limit, float alpha, int n, Floats y) =>
        Launch("clamped_swiglu_forward", Grid.Elements(n), gate, up, limit, alpha, n, y);

    /// <inheritdoc/>
    protected override void ClampedSwiGluBackward(
        Floats dy, Floats gate, Floats up, float limit, float alpha, int n, Target dgate, Target dup)
    {
        if (!dgate.IsNone || !dup.IsNone)
            Launch("clamped_swiglu_backward", Grid.Elements(n), dy, gate, up, limit, alpha, n, dgate, dup);
    }
}
