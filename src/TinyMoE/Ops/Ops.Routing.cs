using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>
    /// Columns of the K largest values of each row, largest first, the lower column among equals; NaN is
    /// below everything. With <paramref name="groups"/>, the K largest of each group of E neighbouring
    /// columns, group by group. x (T, groups·E), result (T·groups·K). Indices have no gradient.
    /// </summary>
    public static Ints TopK(this Tensor x, int K, int groups = 1)
    {
        int columnsOfX = x.Shape.Last, T = x.Count / columnsOfX;
        Check.That(nameof(TopK), groups >= 1 && columnsOfX % groups == 0, $"{columnsOfX} columns are not {groups} groups of one size");
        int E = columnsOfX / groups;
        Check.That(nameof(TopK), K >= 1 && K <= E, $"K is 1 to {E} (the columns), not {K}");

        Ints columns = x.Tape.Ints(T * groups * K);              // (T, groups·K)
        x.Tape.Backend.TopK(x.Data, T, groups, E, K, columns);
        return columns;
    }

    /// <summary>
    /// Top-k routing: each token takes the K experts of its largest logits, with gates softmax(logits) over those K, or
    /// over all E. The plan has the T·K rows in expert order. logits (T, E), result: the gate of each row (N), N = T·K.
    /// </summary>
    public static Tensor Route(this Tensor logits, int K, bool overAll, out RoutingPlan plan)
    {
        int E = logits.Shape.Last, T = logits.Count / E, N = T * K;
        Check.That(nameof(Route), K >= 1 && K <= E, $"K is 1 to {E} (the experts), not {K}");

        Tape tape = logits.Tape;
        Ints experts = tape.Ints(N), rowsByToken = tape.Ints(N); // (T, K)
        plan = new RoutingPlan(experts, tape.Ints(E + 1), tape.Ints(N), tape.Ints(T + 1), rowsByToken);
        Tensor y = tape.New(N);
        tape.Backend.RouteForward(
            logits.Data, overAll, T, E, K, experts, plan.Offsets, plan.Tokens, rowsByToken, plan.TokenOffsets, y.Data);

        // with g the gates of a token, p its softmax over all:  of a chosen logit g·(dg − Σ g·dg);   of another 0, or −p·Σ g·dg over all
        return tape.Record(nameof(Route), y, () =>
            tape.Backend.RouteBackward(y.Grad, logits.Data, y.Data, overAll, experts, rowsByToken, T, E, K, logits.GradTarget()),
                readsOutput: true);
    }

    /// <summary>
    /// The plan of choices made already, −1 for one that is dropped, and the gate of each row, 0 for an unassigned
    /// row. N = T·K, or <paramref name="rows"/> where no more can be kept. gates (T, K), choices (T, K), result (N).
    /// </summary>
    public static Tensor Assign(this Tensor gates, Ints choices, int E, int? rows, out RoutingPlan plan)
    {
        int K = gates.Shape.Last, T = gates.Count / K, N = rows ?? T * K;
        Check.Length(nameof(Assign), choices, T * K);

        Tape tape = gates.Tape;
        Ints choiceOfRow = tape.Ints(N);
        plan = new RoutingPlan(choices, tape.Ints(E + 1), tape.Ints(N), tape.Ints(T + 1), tape.Ints(N));
        Tensor y = tape.New(N);
        tape.Backend.Assign(
            choices, T, E, K, N, plan.Offsets, plan.Tokens, choiceOfRow, plan.RowsByToken, plan.TokenOffsets, gates.Data, y.Data);

        // dgates[choiceOfRow[n]] = dy[n], zero for a choice that was dropped
        return tape.Record(nameof(Assign), y, () =>
            tape.Backend.Scatter(y.Grad, choiceOfRow, N, gates.Count, gates.GradTarget()));
    }

    /// <summary>y[t, k] = x[t, columns[t, k]]. x (T, E), columns (T·K), y (T, K).</summary>
    public static Tensor SelectColumns(this Tensor x, Ints columns, int K)
    {
        int E = x.Shape.Last, T = x.Count / E;
        Check.Length(nameof(SelectColumns), columns, T * K);

        Tape tape = x.Tape;
        Tensor y = tape.New((T, K));
        tape.Backend.SelectColumns(x.Data, columns, T, E, K, y.Data);

        // dx[t, e] = Σ over k with columns[t, k] = e of dy[t, k]
        return tape.Record(nameof(SelectColumns), y, () =>
            tape.Backend.ScatterColumns(y.Grad, columns, T, E, K, x.GradTarget()));
    }

    /// <summary>y[t, e] = Σ over k with columns[t, k] = e of x[t, k], zero elsewhere. x (T, K), columns (T·K), y (T, E).</summary>
    public static Tensor ScatterColumns(this Tensor x, Ints columns, int E)
    {
        int K = x.Shape.Last, T = x.Count / K;
        Check.Length(nameof(ScatterColumns), columns, T * K);

        Tape tape = x.Tape;
        Tensor y = tape.New((T, E));
        tape.Backend.ScatterColumns(x.Data, columns, T, E, K, y.Data);

        // dx[t, k] = dy[t, columns[t, k]]
        return tape.Record(nameof(ScatterColumns), y, () =>
            tape.Backend.SelectColumns(y.Grad, columns, T, E, K, x.GradTarget()));
    }
}

/// <summary>Who goes where: T tokens with K choices each, as N = T·K rows in expert order.</summary>
/// <param name="Choices">The experts of each token (T, K).</param>
/// <param name="Offsets">Expert e owns rows Offsets[e] to before Offsets[e+1]; (E+1).</param>
/// <param name="Tokens">The token of each row (N).</param>
/// <param name="TokenOffsets">Where each token's rows begin in RowsByToken (T+1).</param>
/// <param name="RowsByToken">The rows of each token, token by token (N).</param>
public readonly record struct RoutingPlan(Ints Choices, Ints Offsets, Ints Tokens, Ints TokenOffsets, Ints RowsByToken);
