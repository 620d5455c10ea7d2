using TinyMoE.Memory;

namespace TinyMoE.Backends;

// Balance losses. A mask says 1 for a token that counts, 0 for another; empty: all count.
public abstract partial class Backend
{
    /// <summary>loss = scale·Σ_n mask[n]·Σ_e shares[g, e]·p[n, e], g the group of n: the first of
    /// equal runs of rows is group 0. p (N, E), shares (groups, E), mask (N), loss (1).</summary>
    public abstract void BalanceLossForward(Floats p, Floats shares, Floats mask, float scale, int groups, int N, int E, Floats loss);

    /// <summary>dloss (1), shares (groups, E), mask (N), dp (N, E).</summary>
    public abstract void BalanceLossBackward(Floats dloss, Floats shares, Floats mask, float scale, int groups, int N, int E, Target dp);

    /// <summary>The squared coefficient of variation, y = var(x)/(mean(x)² + eps), population variance. x (n), y (1).</summary>
    public abstract void SquaredVariationForward(Floats x, float eps, int n, Floats y);

    /// <summary>dy (1), x, dx (n).</summary>
    public abstract void SquaredVariationBackward(Floats dy, Floats x, float eps, int n, Target dx);

    /// <summary>
    /// load[e] = Σ_n mask[n]·Φ((clean[n, e] − threshold)/sigma[n, e]); the threshold is the (K+1)-th
    /// largest of noisy[n] for one of the K largest, the K-th for another. clean, noisy, sigma (N,
    /// E), best (N, K+1), the columns of the largest of noisy, largest first, mask (N), load (E).
    /// </summary>
    public abstract void SmoothLoadForward(
        Floats clean, Floats noisy, Floats sigma, Ints best, Floats mask, int N, int E, int K, Floats load);

    /// <summary>dload (E), clean, noisy, sigma, dclean, dnoisy, dsigma (N, E), best (N, K+1), mask (N).</summary>
    public abstract void SmoothLoadBackward(
        Floats dload, Floats clean, Floats noisy, Floats sigma, Ints best, Floats mask, int N, int E, int K, Target dclean, Target dnoisy,
        Target dsigma);
}
