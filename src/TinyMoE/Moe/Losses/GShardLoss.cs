using TinyMoE.Layers;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Losses;

/// <summary>
/// GShard's auxiliary loss (Lepikhin et al. 2020, section 2.2), in the scale in which 1 is balanced.
/// <code>
/// f¹_e = tokens whose first choice is e / N          no gradient
/// P_e  = mean over tokens of p_e
/// L    = E² · mean_e f¹_e·P_e = E · Σ_e f¹_e·P_e
/// </code>
/// Second choices do not count; for K = 1 it is the Switch loss. Weight 0.01 (moe.gshard_loss).
/// </summary>
public static class GShardLoss
{
    /// <summary>probabilities (N, E), choices (N, K), the first of each token its best, −1 for none; result (1).</summary>
    public static Tensor Of(Tensor probabilities, Ints choices, int K, TokenMask? mask = null)
    {
        int N = mask?.Total ?? probabilities.Shape[0], E = probabilities.Shape[1];
        Tensor f = probabilities.Tape.CountChoices(choices, K, E, counted: 1, (float)E / Math.Max(1, N)); // (1, E), E times f¹
        return probabilities.BalanceLoss(f, 1f / Math.Max(1, N), mask?.Column);
    }
}
