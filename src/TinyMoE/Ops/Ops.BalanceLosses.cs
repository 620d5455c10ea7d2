using TinyMoE.Tensors;

namespace TinyMoE.Ops;

/// <remarks>What balance losses are made of. A mask (N, 1) is 1 for a token that counts and 0 for another; without one all count.</remarks>
public static partial class Ops
{
    /// <summary>
    /// scale·Σ_n mask[n]·Σ_e shares[g, e]·p[n, e]: the probabilities of experts, weighed by the shares of the load that
    /// they had, a constant. g is the group of n; groups are equal runs of rows. p (N, E), shares (groups, E), result (1).
    /// </summary>
    public static Tensor BalanceLoss(this Tensor p, Tensor shares, float scale, Tensor? mask = null)
    {
        p = p.ToFloat32();
        int E = p.Shape.Last, N = p.Count / E, groups = shares.Count / E;
        Check.Shape(nameof(BalanceLoss), shares, (groups, E));
        Check.That(nameof(BalanceLoss), groups > 0 && N % groups == 0, $"{N} rows are not {groups} equal groups");
        if (mask is not null)
            Check.Count(nameof(BalanceLoss), mask, N);

        Tape tape = p.Tape;
        (Floats weights, Floats counting) = (shares.Data, mask?.Data ?? default); // (groups, E), (N)
        Tensor y = tape.New(1);
        tape.Backend.BalanceLossForward(p.Data, weights, counting, scale, groups, N, E, y.Data);

        // dp[n, e] = scale·dy·mask[n]·shares[g, e]
        return tape.Record(nameof(BalanceLoss), y, p, weights, counting, scale, static (y, p, weights, counting, scale) =>
        {
            int E = p.Shape.Last, N = p.Count / E, groups = weights.Length / E;
            y.Tape.Backend.BalanceLossBackward(y.Grad, weights, counting, scale, groups, N, E, p.GradTarget());
        });
    }

    /// <summary>The squared coefficient of variation, var(x)/(mean(x)² + eps), population variance. x (any), result (1).</summary>
    public static Tensor SquaredVariation(this Tensor x, float eps)
    {
        x = x.ToFloat32();
        Tape tape = x.Tape;
        Tensor y = tape.New(1);
        tape.Backend.SquaredVariationForward(x.Data, eps, x.Count, y.Data);

        // with d = mean² + eps:  dx = 2·dy/(n·d)·(x − mean − mean·var/d)
        return tape.Record(nameof(SquaredVariation), y, x, eps, static (y, x, eps) =>
            y.Tape.Backend.SquaredVariationBackward(y.Grad, x.Data, eps, x.Count, x.GradTarget()));
    }

    /// <summary>
    /// The smooth load of each expert (Shazeer et al. 2017, appendix A): load[e] = Σ_n mask[n]·Φ((clean[n,
    /// e] − threshold)/sigma[n, e]), the threshold being the (K+1)-th largest of noisy[n] where e is among
    /// its K largest, the K-th largest where not. clean, noisy, sigma (N, E), K below E, result (E).
    /// </summary>
    public static Tensor SmoothLoad(this Tensor clean, Tensor noisy, Tensor sigma, int K, Tensor? mask = null)
    {
        int E = clean.Shape.Last, N = clean.Count / E;
        Check.That(nameof(SmoothLoad), K >= 1 && K < E, $"K is 1 to {E - 1} (of {E} experts one is left out), not {K}");
        Check.Shape(nameof(SmoothLoad), noisy, clean.Shape);
        Check.Shape(nameof(SmoothLoad), sigma, clean.Shape);
        if (mask is not null)
            Check.Count(nameof(SmoothLoad), mask, N);

        Tape tape = clean.Tape;
        Floats counting = mask?.Data ?? default;                 // (N)
        Ints best = noisy.TopK(K + 1);                           // (N, K+1), largest first
        Tensor y = tape.New(E);
        tape.Backend.SmoothLoadForward(clean.Data, noisy.Data, sigma.Data, best, counting, N, E, K, y.Data);

        // with z = (clean − threshold)/σ and dz = dy·φ(z):  dclean = dz/σ,   dσ = −dz·z/σ,   dthreshold = −Σ dz/σ over those that it is for
        return tape.Record(nameof(SmoothLoad), y, clean, noisy, sigma, best, counting, static (y, clean, noisy, sigma, best, counting) =>
        {
            int E = clean.Shape.Last, N = clean.Count / E, K = best.Length / N - 1;
            y.Tape.Backend.SmoothLoadBackward(
                y.Grad, clean.Data, noisy.Data, sigma.Data, best, counting, N, E, K, clean.GradTarget(), noisy.GradTarget(),
                sigma.GradTarget());
        });
    }
}
