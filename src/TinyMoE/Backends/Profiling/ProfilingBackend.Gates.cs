using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void NoisyLogitsForward(Floats clean, Floats spread, Floats noise, float eps, int n, Floats sigma, Floats noisy)
    {
        using (Time(new(nameof(NoisyLogitsForward), n), flops: 4.0 * n, values: 5.0 * n))
            device?.NoisyLogitsForward(clean, spread, noise, eps, n, sigma, noisy);
    }

    /// <inheritdoc/>
    public override void NoisyLogitsBackward(
        Floats dnoisy, Floats dsigma, Floats spread, Floats noise, int n, Target dclean, Target dspread)
    {
        using (Time(new(nameof(NoisyLogitsBackward), n), flops: 4.0 * n,
            values: dnoisy.Length + dsigma.Length + 2.0 * n + Out(dclean, n) + Out(dspread, n)))
            device?.NoisyLogitsBackward(dnoisy, dsigma, spread, noise, n, dclean, dspread);
    }

    /// <inheritdoc/>
    public override void ShareForward(Floats x, float scale, float least, int N, int C, Floats y)
    {
        using (Time(new(nameof(ShareForward), N, C), flops: 2.0 * N * C, values: 2.0 * N * C))
            device?.ShareForward(x, scale, least, N, C, y);
    }

    /// <inheritdoc/>
    public override void ShareBackward(Floats dy, Floats x, float scale, float least, int N, int C, Target dx)
    {
        using (Time(new(nameof(ShareBackward), N, C), flops: 4.0 * N * C, values: 2.0 * N * C + Out(dx, Area(N, C))))
            device?.ShareBackward(dy, x, scale, least, N, C, dx);
    }
}
