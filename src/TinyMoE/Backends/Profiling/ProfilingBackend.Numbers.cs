using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void SumNumbers(ReadOnlySpan<Floats> x, ReadOnlySpan<float> weights, Target y)
    {
        using (Time(new(nameof(SumNumbers), x.Length), flops: 2.0 * x.Length, values: x.Length + Out(y, 1)))
            device?.SumNumbers(x, weights, y);
    }

    /// <inheritdoc/>
    public override void ScaleNumbers(ReadOnlySpan<Floats> x, ReadOnlySpan<float> weights, ReadOnlySpan<Target> y)
    {
        using (Time(new(nameof(ScaleNumbers), x.Length), flops: x.Length, values: 2.0 * x.Length))
            device?.ScaleNumbers(x, weights, y);
    }
}
