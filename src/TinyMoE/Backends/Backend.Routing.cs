using TinyMoE.Memory;

namespace TinyMoE.Backends;

// From logits to a plan: which expert has which rows.
public abstract partial class Backend
{
    /// <summary>Columns of the K largest values of each group of E columns of a row, largest first, the
    /// lower column among equals, NaN below everything. x (N, groups·E), columns (N, groups·K).</summary>
    public abstract void TopK(Floats x, int N, int groups, int E, int K, Ints columns);

    /// <summary>y[n, k] = x[n, columns[n, k]], 0 where the column is −1; the
    /// backward of ScatterColumns. x (N, E), columns, y (N, K).</summary>
    public abstract void SelectColumns(Floats x, Ints columns, int N, int E, int K, Target y);

    /// <summary>y[n, e] = Σ over k with columns[n, k] = e of x[n, k], zero elsewhere, columns
    /// of −1 skipped; the backward of SelectColumns. x, columns (N, K), y (N, E).</summary>
    public abstract void ScatterColumns(Floats x, Ints columns, int N, int E, int K, Target y);

    /// <summary>
    /// Sorts choices by expert, stably. experts (N, K), −1 for a choice that was dropped. offsets (E+1): expert e owns rows
    /// offsets[e] to offsets[e+1]. tokens (rows): the token that a row carries. choices (rows): the choice n·K + k behind a row.
    /// tokenOffsets (N+1), rowsByToken (rows): the inverse, token n has the rows rowsByToken[tokenOffsets[n]..tokenOffsets[n+1]].
    /// There are N·K rows, or fewer where it is known that fewer choices are kept; those from offsets[E] on are unassigned: token
    /// and choice −1. gates (N, K), rowGates (rows): the gate of each row's choice, 0 for an unassigned row; without gates none.
    /// </summary>
    public abstract void Assign(
        Ints experts, int N, int E, int K, int rows, Ints offsets, Ints tokens, Ints choices, Ints rowsByToken, Ints tokenOffsets,
        Floats gates = default, Floats rowGates = default);

    /// <summary>
    /// Top-k routing in one pass over the tokens: experts as TopK of the logits, the plan as
    /// Assign of the experts, and rowGates (rows), the gate of each row: its token's softmax over the
    /// K chosen logits, or, <paramref name="overAll"/>, over all E. logits (N, E), experts (N, K).
    /// </summary>
    public abstract void RouteForward(
        Floats logits, bool overAll, int N, int E, int K, Ints experts, Ints offsets, Ints tokens, Ints rowsByToken, Ints tokenOffsets,
        Floats rowGates);

    /// <summary>drowGates, rowGates, rowsByToken (rows), logits, dlogits (N, E), experts (N, K).</summary>
    public abstract void RouteBackward(
        Floats drowGates, Floats logits, Floats rowGates, bool overAll, Ints experts, Ints rowsByToken, int N, int E, int K,
        Target dlogits);

    /// <summary>y[indices[i]] = x[i], zero elsewhere; indices differ from each other,
    /// but for those of −1, which are skipped. x, indices (n), y (length).</summary>
    public abstract void Scatter(Floats x, Ints indices, int n, int length, Target y);
}
