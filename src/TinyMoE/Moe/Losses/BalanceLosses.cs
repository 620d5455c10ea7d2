using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Losses;

/// <summary>
/// The balance losses that a configuration switches on, for one layer;
/// what a router cannot have (no logits, no probabilities) it has not.
/// </summary>
internal static class BalanceLosses
{
    /// <summary>
    /// choices (N, K), −1 for none; <paramref name="active"/>: experts per token
    /// that a balanced router would give; importance (E), where it is wanted.
    /// </summary>
    public static IReadOnlyList<BalanceLoss> Of(
        MoeConfig config, RouterScores scores, Ints choices, int K, int active, Tensor? importance,
        TokenBatch tokens, IEnumerable<BalanceLoss>? own)
    {
        List<BalanceLoss> losses = [];
        TokenMask? mask = tokens.Mask;
        if (config.BalanceLoss > 0f && scores.Probabilities is { } p)
            losses.Add(new BalanceLoss("balance", SwitchLoss.Of(p, choices, K, active, mask), config.BalanceLoss));
        if (config.SequenceLoss > 0f && scores.Probabilities is { } q)
            losses.Add(new BalanceLoss("sequence", SequenceLoss.Of(q, choices, K, active, tokens.B, mask), config.SequenceLoss));
        if (config.GshardLoss > 0f && scores.Probabilities is { } r)
            losses.Add(new BalanceLoss("gshard", GShardLoss.Of(r, choices, K, mask), config.GshardLoss));
        if (config.ZLoss > 0f && scores.Logits is { } logits)
            losses.Add(new BalanceLoss("z", ZLoss.Of(logits, mask), config.ZLoss));
        if (importance is not null)
            losses.Add(new BalanceLoss("importance", ImportanceLoss.Of(importance), config.ImportanceLoss));
        if (own is not null)
            losses.AddRange(own);
        return losses;
    }
}
