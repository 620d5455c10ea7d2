using TinyMoE.Layers;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Losses;

/// <summary>
/// Switch load balancing (Fedus et al. 2021, equations 4 to 6), for any K.
/// <code>
/// f_e = choices of e / N                   before anything is dropped; Σf = K; no gradient
/// P_e = mean over tokens of p_e            p over all experts, never of the chosen alone
/// L   = E/K · Σ_e f_e·P_e                  1 when balanced, for every K
/// ∂L/∂h[n, j] = E/(K·N) · p[n, j]·(f_j − Σ_e f_e·p[n, e])
/// </code>
/// Each layer by itself. Weight 0.01 (moe.balance_loss). Others are the same with
/// another balanced value: Hugging Face's Mixtral has K, nanoMoE K times the layers.
/// </summary>
public static class SwitchLoss
{
    /// <summary>
    /// probabilities (N, E), choices (N, K) with −1 for none, <paramref name="active"/>
    /// the experts per token has when nothing is left out; result (1).
    /// </summary>
    public static Tensor Of(Tensor probabilities, Ints choices, int K, int active, TokenMask? mask = null)
    {
        int N = mask?.Total ?? probabilities.Shape[0], E = probabilities.Shape[1];
        Tensor f = probabilities.Tape.CountChoices(choices, K, E, counted: K, (float)E / active / Math.Max(1, N)); // (1, E), E/K times f
        return probabilities.BalanceLoss(f, 1f / Math.Max(1, N), mask?.Column);
    }
}
