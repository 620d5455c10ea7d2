using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void RoundToBfloat16(Floats x, int n, Target y)
    {
        using (Time(new(nameof(RoundToBfloat16), n), flops: n, values: n + Out(y, n)))
            device?.RoundToBfloat16(x, n, y);
    }

    /// <inheritdoc/>
    public override void PackBfloat16(Floats x, int n, Bfloat16s y)
    {
        using (Time(new(nameof(PackBfloat16), n), flops: n, values: 1.5 * n))
            device?.PackBfloat16(x, n, y);
    }

    /// <inheritdoc/>
    public override void Convert(Values x, int n, Target y)
    {
        using (Time(new(nameof(Convert), n), flops: 0, values: In(x, n) + Out(y, n)))
            device?.Convert(x, n, y);
    }
}
