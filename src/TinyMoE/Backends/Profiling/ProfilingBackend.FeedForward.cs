using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void SwiGluForward(Values gate, Values up, int n, Values y)
    {
        using (Time(new(nameof(SwiGluForward), n), flops: 5.0 * n, values: In(gate, n) + In(up, n) + In(y, n)))
            device?.SwiGluForward(gate, up, n, y);
    }

    /// <inheritdoc/>
    public override void SwiGluBackward(
        Values dy, Values gate, Values up, int n, Target dgate, Target dup, ElementType precision = ElementType.Float32)
    {
        using (Time(new(nameof(SwiGluBackward), n), flops: 10.0 * n,
            values: In(dy, n) + In(gate, n) + In(up, n) + Out(dgate, n) + Out(dup, n)))
            device?.SwiGluBackward(dy, gate, up, n, dgate, dup, precision);
    }

    /// <inheritdoc/>
    public override void ClampedSwiGluForward(Values gate, Values up, float limit, float alpha, int n, Values y)
    {
        using (Time(new(nameof(ClampedSwiGluForward), n), flops: 10.0 * n, values: In(gate, n) + In(up, n) + In(y, n)))
            device?.ClampedSwiGluForward(gate, up, limit, alpha, n, y);
    }

    /// <inheritdoc/>
    public override void ClampedSwiGluBackward(
        Values dy, Values gate, Values up, float limit, float alpha, int n, Target dgate, Target dup)
    {
        using (Time(new(nameof(ClampedSwiGluBackward), n), flops: 18.0 * n,
            values: In(dy, n) + In(gate, n) + In(up, n) + Out(dgate, n) + Out(dup, n)))
            device?.ClampedSwiGluBackward(dy, gate, up, limit, alpha, n, dgate, dup);
    }
}
