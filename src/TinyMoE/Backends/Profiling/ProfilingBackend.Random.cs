using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void FillUniform(RandomKey key, int n, Floats y)
    {
        using (Time(new(nameof(FillUniform), n), flops: n, values: n))
            device?.FillUniform(key, n, y);
    }

    /// <inheritdoc/>
    public override void FillNormal(RandomKey key, int n, Floats y)
    {
        using (Time(new(nameof(FillNormal), n), flops: n, values: n))
            device?.FillNormal(key, n, y);
    }

    /// <inheritdoc/>
    public override void Jitter(Floats x, float width, RandomKey key, int n, Target y)
    {
        using (Time(new(nameof(Jitter), n), flops: 2.0 * n, values: n + Out(y, n)))
            device?.Jitter(x, width, key, n, y);
    }

    /// <inheritdoc/>
    public override void Dropout(Values x, in Dropout dropout, int n, Target y)
    {
        using (Time(new(nameof(Dropout), n), flops: 2.0 * n, values: In(x, n) + Out(y, n)))
            device?.Dropout(x, in dropout, n, y);
    }
}
