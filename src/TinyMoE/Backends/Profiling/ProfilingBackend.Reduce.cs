using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void SumRows(Values x, float scale, int N, int C, Target y)
    {
        using (Time(new(nameof(SumRows), N, C), flops: Area(N, C), values: In(x, Area(N, C)) + Out(y, C)))
            device?.SumRows(x, scale, N, C, y);
    }

    /// <inheritdoc/>
    public override void SumColumns(Floats x, float scale, int N, int C, Target y)
    {
        using (Time(new(nameof(SumColumns), N, C), flops: Area(N, C), values: Area(N, C) + Out(y, N)))
            device?.SumColumns(x, scale, N, C, y);
    }

    /// <inheritdoc/>
    public override void BroadcastRows(Floats x, float scale, int N, int C, Target y)
    {
        using (Time(new(nameof(BroadcastRows), N, C), flops: Area(N, C), values: C + Out(y, Area(N, C))))
            device?.BroadcastRows(x, scale, N, C, y);
    }

    /// <inheritdoc/>
    public override void BroadcastColumns(Floats x, float scale, int N, int C, Target y)
    {
        using (Time(new(nameof(BroadcastColumns), N, C), flops: Area(N, C), values: N + Out(y, Area(N, C))))
            device?.BroadcastColumns(x, scale, N, C, y);
    }
}
