using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void RmsNormForward(Values x, Values branch, Floats w, int N, int C, float eps, Values s, Values y, Floats r)
    {
        using (Time(new(nameof(RmsNormForward), N, C), flops: (branch.IsNone ? 4.0 : 5.0) * N * C,
            values: In(x, Area(N, C)) + In(branch, Area(N, C)) + In(s, Area(N, C)) + In(y, Area(N, C)) + C + N))
            device?.RmsNormForward(x, branch, w, N, C, eps, s, y, r);
    }

    /// <inheritdoc/>
    public override void RmsNormBackward(
        Values dy, Values ds, Values s, Floats w, Floats r, int N, int C, Target dx, Target dbranch, Target dw)
    {
        using (Time(
            new(nameof(RmsNormBackward), N, C), flops: (ds.IsNone ? 9.0 : 10.0) * N * C,
            values: In(dy, Area(N, C)) + In(ds, Area(N, C)) + In(s, Area(N, C)) + C + N + Out(dx, Area(N, C)) + Out(dbranch, Area(N, C))
                + Out(dw, C)))
            device?.RmsNormBackward(dy, ds, s, w, r, N, C, dx, dbranch, dw);
    }

    /// <inheritdoc/>
    public override void LayerNormForward(
        Values x, Values branch, Floats w, Floats b, int N, int C, float eps, Values s, Values y, Floats mean, Floats r)
    {
        using (Time(
            new(nameof(LayerNormForward), N, C), flops: (branch.IsNone ? 8.0 : 9.0) * N * C,
            values: In(x, Area(N, C)) + In(branch, Area(N, C)) + In(s, Area(N, C)) + In(y, Area(N, C)) + 2.0 * C + 2.0 * N))
            device?.LayerNormForward(x, branch, w, b, N, C, eps, s, y, mean, r);
    }

    /// <inheritdoc/>
    public override void LayerNormBackward(
        Values dy, Values ds, Values s, Floats w, Floats mean, Floats r, int N, int C, Target dx, Target dbranch, Target dw, Target db)
    {
        using (Time(
            new(nameof(LayerNormBackward), N, C), flops: (ds.IsNone ? 13.0 : 14.0) * N * C,
            values: In(dy, Area(N, C)) + In(ds, Area(N, C)) + In(s, Area(N, C)) + C + 2.0 * N + Out(dx, Area(N, C))
                + Out(dbranch, Area(N, C)) + Out(dw, C)
                + Out(db, C)))
            device?.LayerNormBackward(dy, ds, s, w, mean, r, N, C, dx, dbranch, dw, db);
    }
}
