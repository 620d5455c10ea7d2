using TinyMoE.Layers;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Losses;

/// <summary>
/// The router z-loss (Zoph et al. 2022, "ST-MoE", equation 5): keeps logits small, where their softmax is exact.
/// <code>
/// L = mean over tokens of (log Σ_e exp h_e)²
/// ∂L/∂h[n, j] = 2/N · lse_n · p[n, j]
/// </code>
/// It never is 0 for E &gt; 1 unless logits go below 0. Weight 0.001 (moe.z_loss).
/// </summary>
public static class ZLoss
{
    /// <summary>logits (N, E); result (1).</summary>
    public static Tensor Of(Tensor logits, TokenMask? mask = null) =>
        logits.ZLoss(1f / Math.Max(1, mask?.Total ?? logits.Shape[0]), mask?.Column);
}
