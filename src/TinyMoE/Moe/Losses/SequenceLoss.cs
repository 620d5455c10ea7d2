using TinyMoE.Layers;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Losses;

/// <summary>
/// The Switch loss of each sequence by itself, and their mean (DeepSeek-V3, DeepSeek-AI 2024,
/// equations 17 to 20): no sequence may lean on few experts, even where the batch is balanced.
/// <code>
/// L = mean over sequences b of E/K · Σ_e f_be·P_be       f, P as in <see cref="SwitchLoss"/>, over the tokens of b
/// </code>
/// 1 when every sequence is balanced. Weight 0.0001 (moe.sequence_loss). For sigmoid scores P is the mean of s/Σs.
/// </summary>
public static class SequenceLoss
{
    /// <summary>probabilities (sequences·T, E), choices (sequences·T, K) with −1 for none; result (1).</summary>
    public static Tensor Of(Tensor probabilities, Ints choices, int K, int active, int sequences, TokenMask? mask = null)
    {
        Tape tape = probabilities.Tape;
        int T = probabilities.Shape[0] / sequences, E = probabilities.Shape[1];
        float scale = (float)E / active / (mask is null ? (float)sequences * T * T : Math.Max(1, mask.Sequences));
        Tensor f = tape.CountChoices(choices, K, E, counted: K, scale, groups: sequences); // (sequences, E)
        return probabilities.BalanceLoss(mask is null ? f : f.Multiply(mask.InverseSquares), scale: 1f, mask?.Column);
    }
}
