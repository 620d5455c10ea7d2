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

    /// <inheritdoc/>
    public override void SwiGluForward(Values gate, Values up, int n, Values y)
    {
        if (AreNarrow(gate, up, y))
            Launch("swiglu_forward_bfloat16", Grid.Elements(n), Narrow(gate), Narrow(up), n, Narrow(y));
        else
            base.SwiGluForward(gate, up, n, y);
    }

    /// <inheritdoc/>
    public override void SwiGluBackward(
        Values dy, Values gate, Values up, int n, Target dgate, Target dup, ElementType precision = ElementType.Float32)
    {
        if (!AreNarrow(dy, gate, up, dgate.Values, dup.Values))
            base.SwiGluBackward(dy, gate, up, n, dgate, dup, precision);
        else if (!dgate.IsNone || !dup.IsNone)
            Launch("swiglu_backward_bfloat16", Grid.Elements(n), Narrow(dy), Narrow(gate), Narrow(up), n, Narrow(dgate), Narrow(dup),
                false);
    }

    /// <inheritdoc/>
    public override void ClampedSwiGluForward(Values gate, Values up, float limit, float alpha, int n, Values y)
    {
        if (AreNarrow(gate, up, y))
            Launch("clamped_swiglu_forward_bfloat16", Grid.Elements(n), Narrow(gate), Narrow(up), limit, alpha, n, Narrow(y));
        else
            base.ClampedSwiGluForward(gate, up, limit, alpha, n, y);
    }

    /// <inheritdoc/>
    public override void ClampedSwiGluBackward(Values dy, Values gate, Values up, float limit, float alpha, int n, Target dgate, Target dup)
    {
        if (!AreNarrow(dy, gate, up, dgate.Values, dup.Values))
            base.ClampedSwiGluBackward(dy, gate, up, limit, alpha, n, dgate, dup);
        else if (!dgate.IsNone || !dup.IsNone)
            Launch("clamped_swiglu_backward_bfloat16", Grid.Elements(n), Narrow(dy), Narrow(gate), Narrow(up), limit, alpha, n,
                Narrow(dgate), Narrow(dup));
    }
}
