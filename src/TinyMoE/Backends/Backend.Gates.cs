using TinyMoE.Memory;

namespace TinyMoE.Backends;

// Gates of noisy and of normalised routers.
public abstract partial class Backend
{
    /// <summary>sigma = softplus(spread) + eps, noisy = clean + sigma·noise. clean, spread, noise, sigma, noisy (n).</summary>
    public abstract void NoisyLogitsForward(Floats clean, Floats spread, Floats noise, float eps, int n, Floats sigma, Floats noisy);

    /// <summary>dnoisy, dsigma, either may be empty, spread, noise, dclean, dspread (n).</summary>
    public abstract void NoisyLogitsBackward(
        Floats dnoisy, Floats dsigma, Floats spread, Floats noise, int n, Target dclean, Target dspread);

    /// <summary>
    /// y[n, c] = scale·x[n, c]/Σ_c x[n, c], and scale/C where that sum is below <paramref name="least"/>. x, from 0 on, y (N, C).
    /// </summary>
    public abstract void ShareForward(Floats x, float scale, float least, int N, int C, Floats y);

    /// <summary>dx is 0 where the sum is below <paramref name="least"/>. dy, x, dx (N, C).</summary>
    public abstract void ShareBackward(Floats dy, Floats x, float scale, float least, int N, int C, Target dx);
}
