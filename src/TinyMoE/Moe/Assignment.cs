using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe;

/// <summary>
/// What every router ends in, and all that the rest of the layer knows of it: N rows in expert order, each one token for one expert with a gate.
/// Expert e owns rows Offsets[e] to before Offsets[e+1]; row n carries token Tokens[n] with gate Weights[n]. The inverse, rows by token, lets
/// Combine and the backward of Dispatch gather where others scatter: no float atomics, the same bits every time. N depends on the sizes only: where
/// choices were dropped, the rows from Offsets[E] on are nobody's (token −1, gate 0) and are zero all the way.
/// </summary>
public sealed class Assignment
{
    private Assignment(int tokens, int experts, int rows, Ints offsets, Ints token, Ints tokenOffsets, Ints rowsByToken, Tensor weights)
    {
        (TokenCount, Experts, Rows) = (tokens, experts, rows);
        (Offsets, Tokens, TokenOffsets, RowsByToken, Weights) = (offsets, token, tokenOffsets, rowsByToken, weights);
    }

    /// <summary>Tokens, T.</summary>
    public int TokenCount { get; }

    /// <summary>Experts, E.</summary>
    public int Experts { get; }

    /// <summary>Rows, N, those that are nobody's included.</summary>
    public int Rows { get; }

    /// <summary>Where each expert's rows begin (E+1).</summary>
    public Ints Offsets { get; }

    /// <summary>The token of each row, −1 for a row that is nobody's (N).</summary>
    public Ints Tokens { get; }

    /// <summary>Where each token's rows begin in <see cref="RowsByToken"/> (T+1).</summary>
    public Ints TokenOffsets { get; }

    /// <summary>The rows of each token, token by token; as many as are kept (N).</summary>
    public Ints RowsByToken { get; }

    /// <summary>The differentiable gate of each row (N).</summary>
    public Tensor Weights { get; }

    /// <summary>
    /// Every token goes to its choices, but for those of −1, which are dropped. <paramref name="choices"/> (T, K) are experts, <paramref name="gates"/> (T, K).
    /// N = T·K, or <paramref name="rows"/> where no more can be kept; rows that are not needed are nobody's.
    /// </summary>
    public static Assignment FromChoices(Ints choices, Tensor gates, int E, int? rows = null)
    {
        Tensor weights = gates.Assign(choices, E, rows, out RoutingPlan plan);
        return new Assignment(gates.Shape[0], E, weights.Count, plan.Offsets, plan.Tokens, plan.TokenOffsets, plan.RowsByToken, weights);
    }

    /// <summary>Top-k routing in one pass: each token goes to the K experts of its largest logits, gated by a softmax over those, or over all. logits (T, E); Choices (T, K).</summary>
    public static (Ints Choices, Assignment Assignment) TopK(Tensor logits, int K, bool overAll)
    {
        int T = logits.Shape[0], E = logits.Shape[1];
        Tensor weights = logits.Route(K, overAll, out RoutingPlan plan);
        return (plan.Choices, new Assignment(T, E, T * K, plan.Offsets, plan.Tokens, plan.TokenOffsets, plan.RowsByToken, weights));
    }

    /// <summary>The tokens' vectors in expert order. x (T, C), result (N, C).</summary>
    public Tensor Dispatch(Tensor x) => x.Dispatch(Tokens, TokenOffsets, RowsByToken);

    /// <summary>The gated sum of each token's rows. x (N, C), result (T, C).</summary>
    public Tensor Combine(Tensor x) => x.Combine(Weights, Tokens, TokenOffsets, RowsByToken);

    /// <summary>The sum of each expert's gates, its importance; differentiable (E).</summary>
    public Tensor Importance() => Weights.Reshape((Rows, 1)).GroupedSum(Offsets, Experts).Reshape(Experts);

    /// <summary>Rows an expert; waits for the device (E).</summary>
    public int[] ReadCounts()
    {
        int[] offsets = new int[Experts + 1];
        Weights.Tape.Backend.ReadCounts(Offsets, offsets);
        return [.. Enumerable.Range(0, Experts).Select(e => offsets[e + 1] - offsets[e])];
    }
}
