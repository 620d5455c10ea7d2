using TinyMoE.Layers;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Losses;

/// <summary>
/// The load loss (Shazeer et al. 2017, appendix A): experts should have equal numbers of tokens. A count has no gradient, so the
/// load is made smooth by the noise: the chance that an expert would be among the top K if its own noise alone were drawn again.
/// <code>
/// threshold = the (K+1)-th largest H for an expert that is chosen, the K-th for another
/// P[n, e]   = Φ((clean − threshold)/σ)
/// load_e    = Σ_n P[n, e]
/// L         = CV²(load)
/// </code>
/// No stop-gradient anywhere, as in Tensor2Tensor: it flows through the clean logits, σ, and the
/// threshold, another expert's H. Weight 0.01 (moe.load_loss). V-MoE (Riquelme et al. 2021,
/// appendix A) has one σ for all (moe.logit_noise) and the K-th largest H as everybody's threshold.
/// </summary>
public static class LoadLoss
{
    /// <summary>load (E); result (1).</summary>
    public static Tensor Of(Tensor load) => load.SquaredVariation(ImportanceLoss.Epsilon);

    /// <summary>Shazeer's smooth load of each expert (E). clean, noisy, sigma (N, E), K &lt; E.</summary>
    public static Tensor SmoothLoad(Tensor clean, Tensor noisy, Tensor sigma, int K, TokenMask? mask = null) =>
        clean.SmoothLoad(noisy, sigma, K, mask?.Column);

    /// <summary>V-MoE's smooth load of each expert (E), for noise of one standard deviation. clean, noisy (N, E).</summary>
    public static Tensor FixedNoiseLoad(Tensor clean, Tensor noisy, float sigma, int K, TokenMask? mask = null)
    {
        Tensor threshold = noisy.SelectColumns(noisy.TopK(K), K).SliceColumns(K - 1, 1); // (N, 1)
        return clean.Subtract(threshold).Scale(1f / sigma).NormalCdf().SumRows(mask);
    }
}
