using TinyMoE.Memory;

namespace TinyMoE.Backends;

// From logits to a plan: which expert has which rows.
public abstract partial class Backend
{
    /// <summary>Columns of the K largest values of each group of E columns of a row, largest first, the
    /// lower column among equals, NaN below everything. x (T, groups·E), columns (T, groups·K).</summary>
    public abstract void TopK(Floats x, int T, int groups, int E, int K, Ints columns);

    /// <summary>y[t, k] = x[t, columns[t, k]], 0 where the column is −1; the
    /// backward of ScatterColumns. x (T, E), columns, y (T, K).</summary>
    public abstract void SelectColumns(Floats x, Ints columns, int T, int E, int K, Target y);

    /// <summary>y[t, e] = Σ over k with columns[t, k] = e of x[t, k], zero elsewhere, columns
    /// of −1 skipped; the backward of SelectColumns. x, columns (T, K), y (T, E).</summary>
    public abstract void ScatterColumns(Floats x, Ints columns, int T, int E, int K, Target y);

    /// <summary>
    /// Sorts choices by expert, stably. experts (T, K), −1 for a choice that was dropped. offsets (E+1): expert e owns rows
    /// offsets[e] to offsets[e+1]. tokens (N): the token a row carries. choices (N): the choice t·K + k behind a row.
    /// tokenOffsets (T+1), rowsByToken (N): the inverse, token t has the rows rowsByToken[tokenOffsets[t]..tokenOffsets[t+1]]. N
    /// is T·K, or less where it is known that fewer are kept; the rows from offsets[E] to N are unassigned: token and choice −1.
    /// gates (T, K), weights (N): the gate of each row's choice, 0 for an unassigned row; without gates there are no weights.
    /// </summary>
    public abstract void Assign(
        Ints experts, int T, int E, int K, int N, Ints offsets, Ints tokens, Ints choices, Ints rowsByToken, Ints tokenOffsets,
        Floats gates = default, Floats weights = default);

    /// <summary>
    /// Top-k routing in one pass over the tokens: experts as TopK of the logits, the plan as
    /// Assign of the experts, and weights (N), the gate of each row: its token's softmax over the
    /// K chosen logits, or, <paramref name="overAll"/>, over all E. logits (T, E), experts (T, K).
    /// </summary>
    public abstract void RouteForward(
        Floats logits, bool overAll, int T, int E, int K, Ints experts, Ints offsets, Ints tokens, Ints rowsByToken, Ints tokenOffsets,
        Floats weights);

    /// <summary>dweights, weights, rowsByToken (N), logits, dlogits (T, E), experts (T, K).</summary>
    public abstract void RouteBackward(
        Floats dweights, Floats logits, Floats weights, bool overAll, Ints experts, Ints rowsByToken, int T, int E, int K, Target dlogits);

    /// <summary>y[indices[i]] = x[i], zero elsewhere; indices differ from each other,
    /// but for those of −1, which are skipped. x, indices (n), y (length).</summary>
    public abstract void Scatter(Floats x, Ints indices, int n, int length, Target y);
}
