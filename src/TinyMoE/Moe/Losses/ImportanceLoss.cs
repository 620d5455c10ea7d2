using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Losses;

/// <summary>
/// The importance loss (Shazeer et al. 2017, equations 6 and 7): experts should have equal sums of gates.
/// <code>
/// importance_e = Σ_n g[n, e]
/// L = CV²(importance) = var/mean²          population variance; 0 when equal, with a gradient of 0 there
/// </code>
/// The variance, not the deviation squared: a root has no gradient at 0, which is where a balanced router is. Weight 0.01
/// (moe.importance_loss). Equal importance may still be unequal load (one token of gate 1, ten of 0.1): that is <see cref="LoadLoss"/>.
/// </summary>
public static class ImportanceLoss
{
    internal const float Epsilon = 1e-10f; // nothing routed: 0, not 0/0

    /// <summary>importance (E); result (1).</summary>
    public static Tensor Of(Tensor importance) => importance.SquaredVariation(Epsilon);
}
