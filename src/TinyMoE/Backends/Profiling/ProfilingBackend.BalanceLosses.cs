using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void BalanceLossForward(Floats p, Floats shares, Floats mask, float scale, int groups, int N, int E, Floats loss)
    {
        using (Time(new(nameof(BalanceLossForward), groups, N, E), flops: 2.0 * N * E, values: Area(N, E) + Area(groups, E) + mask.Length))
            device?.BalanceLossForward(p, shares, mask, scale, groups, N, E, loss);
    }

    /// <inheritdoc/>
    public override void BalanceLossBackward(Floats dloss, Floats shares, Floats mask, float scale, int groups, int N, int E, Target dp)
    {
        using (Time(new(nameof(BalanceLossBackward), groups, N, E), flops: Area(N, E),
            values: Area(groups, E) + mask.Length + Out(dp, Area(N, E))))
            device?.BalanceLossBackward(dloss, shares, mask, scale, groups, N, E, dp);
    }

    /// <inheritdoc/>
    public override void SquaredVariationForward(Floats x, float eps, int n, Floats y)
    {
        using (Time(new(nameof(SquaredVariationForward), n), flops: 4.0 * n, values: n))
            device?.SquaredVariationForward(x, eps, n, y);
    }

    /// <inheritdoc/>
    public override void SquaredVariationBackward(Floats dy, Floats x, float eps, int n, Target dx)
    {
        using (Time(new(nameof(SquaredVariationBackward), n), flops: 6.0 * n, values: n + Out(dx, n)))
            device?.SquaredVariationBackward(dy, x, eps, n, dx);
    }

    /// <inheritdoc/>
    public override void SmoothLoadForward(
        Floats clean, Floats noisy, Floats sigma, Ints best, Floats mask, int N, int E, int K, Floats load)
    {
        using (Time(new(nameof(SmoothLoadForward), N, E, K), flops: 4.0 * N * E, values: 2.0 * N * E + N * (K + 3.0) + mask.Length + E))
            device?.SmoothLoadForward(clean, noisy, sigma, best, mask, N, E, K, load);
    }

    /// <inheritdoc/>
    public override void SmoothLoadBackward(
        Floats dload, Floats clean, Floats noisy, Floats sigma, Ints best, Floats mask, int N, int E, int K, Target dclean, Target dnoisy,
            Target dsigma)
    {
        using (Time(
            new(nameof(SmoothLoadBackward), N, E, K), flops: 10.0 * N * E,
            values: 2.0 * N * E + N * (K + 3.0) + mask.Length + E + Out(dclean, Area(N, E)) + Out(dnoisy, Area(N, E)) + Out(dsigma,
                Area(N, E))))
            device?.SmoothLoadBackward(dload, clean, noisy, sigma, best, mask, N, E, K, dclean, dnoisy, dsigma);
    }
}
