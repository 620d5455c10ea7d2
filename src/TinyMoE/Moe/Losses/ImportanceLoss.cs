using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Losses;

/// <summary>
/// The importance loss (Shazeer et al. 2017, equations 6 and 7): experts should have equal sums of gates.
/// <code>
/// importance_e = Σ_t g[t, e]
/// L = CV²(importance) = var/mean²          population variance; 0 when equal, with a gradient of 0 there
/// </code>
/// The variance, not the deviation squared: a root has no gradient at 0, which is where a balanced router is. Weight 0.01 (moe.importance_loss).
/// Equal importance may still be unequal load (one token of gate 1, ten of 0.1): that is <see cref="LoadLoss"/>.
/// </summary>
public static class ImportanceLoss
{
    private const float Epsilon = 1e-10f; // nothing routed: 0, not 0/0

    /// <summary>importance (E); result (1).</summary>
    public static Tensor Of(Tensor importance) => SquaredVariation(importance);

    /// <summary>The squared coefficient of variation, var(v)/mean(v)². v (E), result (1).</summary>
    internal static Tensor SquaredVariation(Tensor v)
    {
        Tensor row = v.Reshape((1, v.Count));
        Tensor mean = row.MeanColumns();                         // (1, 1)
        Tensor variance = row.Subtract(mean).Square().MeanColumns();
        return variance.Divide(mean.Square().Shift(Epsilon)).Reshape(1);
    }
}
