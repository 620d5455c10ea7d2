using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void RmsNormForward(Floats x, Floats branch, Floats w, int N, int C, float eps, Floats s, Floats y, Floats r)
    {
        using (Time(new(nameof(RmsNormForward), N, C), flops: (branch.IsNone ? 4.0 : 5.0) * N * C,
            values: (branch.IsNone ? 2.0 : 4.0) * N * C + C + N))
            device?.RmsNormForward(x, branch, w, N, C, eps, s, y, r);
    }

    /// <inheritdoc/>
    public override void RmsNormBackward(
        Floats dy, Floats ds, Floats s, Floats w, Floats r, int N, int C, Target dx, Target dbranch, Target dw)
    {
        using (Time(
            new(nameof(RmsNormBackward), N, C), flops: (ds.IsNone ? 9.0 : 10.0) * N * C,
            values: (ds.IsNone ? 2.0 : 3.0) * N * C + C + N + Out(dx, Area(N, C)) + Out(dbranch, Area(N, C)) + Out(dw, C)))
            device?.RmsNormBackward(dy, ds, s, w, r, N, C, dx, dbranch, dw);
    }

    /// <inheritdoc/>
    public override void LayerNormForward(
        Floats x, Floats branch, Floats w, Floats b, int N, int C, float eps, Floats s, Floats y, Floats mean, Floats r)
    {
        using (Time(
            new(nameof(LayerNormForward), N, C), flops: (branch.IsNone ? 8.0 : 9.0) * N * C,
            values: (branch.IsNone ? 2.0 : 4.0) * N * C + 2.0 * C + 2.0 * N))
            device?.LayerNormForward(x, branch, w, b, N, C, eps, s, y, mean, r);
    }

    /// <inheritdoc/>
    public override void LayerNormBackward(
        Floats dy, Floats ds, Floats s, Floats w, Floats mean, Floats r, int N, int C, Target dx, Target dbranch, Target dw, Target db)
    {
        using (Time(
            new(nameof(LayerNormBackward), N, C), flops: (ds.IsNone ? 13.0 : 14.0) * N * C,
            values: (ds.IsNone ? 2.0 : 3.0) * N * C + C + 2.0 * N + Out(dx, Area(N, C)) + Out(dbranch, Area(N, C)) + Out(dw, C)
                + Out(db, C)))
            device?.LayerNormBackward(dy, ds, s, w, mean, r, N, C, dx, dbranch, dw, db);
    }
}
