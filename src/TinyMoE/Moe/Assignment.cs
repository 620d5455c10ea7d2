using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe;

/// <summary>
/// What every router ends in, and all that the rest of the layer knows of it: rows in expert order, each one token
/// for one expert with a gate. Expert e owns rows Offsets[e] to before Offsets[e+1]; row r carries token Tokens[r]
/// with gate Gates[r]. The inverse, rows by token, lets Combine and the backward of Dispatch gather where others
/// scatter: no float atomics, the same bits every time. The number of rows depends on the sizes only: where
/// choices were dropped, the rows from Offsets[E] on are unassigned (token −1, gate 0) and are zero all the way.
/// </summary>
public sealed class Assignment
{
    private static readonly Func<Assignment> New = static () => new Assignment();

    private Assignment() => Gates = null!;

    /// <summary>Tokens, N.</summary>
    public int TokenCount { get; private set; }

    /// <summary>Experts, E.</summary>
    public int Experts { get; private set; }

    /// <summary>Rows, the unassigned ones included.</summary>
    public int Rows { get; private set; }

    /// <summary>Where each expert's rows begin (E+1).</summary>
    public Ints Offsets { get; private set; }

    /// <summary>The token of each row, −1 for an unassigned row (rows).</summary>
    public Ints Tokens { get; private set; }

    /// <summary>Where each token's rows begin in <see cref="RowsByToken"/> (N+1).</summary>
    public Ints TokenOffsets { get; private set; }

    /// <summary>The rows of each token, token by token; as many as are kept (rows).</summary>
    public Ints RowsByToken { get; private set; }

    /// <summary>The differentiable gate of each row, 0 for an unassigned one (rows).</summary>
    public Tensor Gates { get; private set; }

    /// <summary>
    /// Every token goes to its choices, but for those of −1, which are dropped. <paramref name="choices"/>
    /// (N, K) are experts, <paramref name="gates"/> (N, K). There are N·K rows, or <paramref name="rows"/>
    /// where no more can be kept; those that are not needed are unassigned.
    /// </summary>
    public static Assignment FromChoices(Ints choices, Tensor gates, int E, int? rows = null)
    {
        Tensor rowGates = gates.Assign(choices, E, rows, out RoutingPlan plan);
        return Of(plan, gates.Shape[0], E, rowGates);
    }

    /// <summary>
    /// Top-k routing in one pass: each token goes to the K experts of its largest logits, gated by a softmax over those, or over all.
    /// logits (N, E); Choices (N, K).
    /// </summary>
    public static (Ints Choices, Assignment Assignment) TopK(Tensor logits, int K, bool overAll)
    {
        Tensor gates = logits.Route(K, overAll, out RoutingPlan plan);
        return (plan.Choices, Of(plan, logits.Shape[0], logits.Shape[1], gates));
    }

    private static Assignment Of(in RoutingPlan plan, int N, int E, Tensor gates)
    {
        Assignment made = gates.Tape.Take(New);
        (made.TokenCount, made.Experts, made.Rows, made.Gates) = (N, E, gates.Count, gates);
        (made.Offsets, made.Tokens, made.TokenOffsets, made.RowsByToken) =
            (plan.Offsets, plan.Tokens, plan.TokenOffsets, plan.RowsByToken);
        return made;
    }

    /// <summary>The tokens' vectors in expert order. x (N, C), result (rows, C).</summary>
    public Tensor Dispatch(Tensor x) => x.Dispatch(Tokens, TokenOffsets, RowsByToken);

    /// <summary>
    /// The same for products of the experts with so many outputs, and for nothing else: a backend that reads such rows by token leaves them
    /// where they are.
    /// </summary>
    public Tensor DispatchToProducts(Tensor x, int outputs) =>
        x.Tape.Backend.ReadsRowsByToken(x.Type, Experts, Rows, x.Shape.Last, outputs)
            ? x.DispatchByToken(Tokens, TokenOffsets, RowsByToken)
            : Dispatch(x);

    /// <summary>The gated sum of each token's rows. x (rows, C), result (N, C).</summary>
    public Tensor Combine(Tensor x) => x.Combine(Gates, Tokens, TokenOffsets, RowsByToken);

    /// <summary>The sum of each expert's gates, its importance; differentiable (E).</summary>
    public Tensor Importance() => Gates.Reshape((Rows, 1)).GroupedSum(Offsets, Experts).Reshape(Experts);

    /// <summary>Rows per expert; waits for the device (E).</summary>
    public int[] ReadCounts()
    {
        int[] offsets = new int[Experts + 1];
        Gates.Tape.Backend.ReadCounts(Offsets, offsets);
        return [.. Enumerable.Range(0, Experts).Select(e => offsets[e + 1] - offsets[e])];
    }
}
