using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>
    /// Columns of the K largest values of each row, largest first, the lower column among equals; NaN is
    /// below everything. With <paramref name="groups"/>, the K largest of each group of E neighbouring
    /// columns, group by group. x (N, groups·E), result (N·groups·K). Indices have no gradient.
    /// </summary>
    public static Ints TopK(this Tensor x, int K, int groups = 1)
    {
        int columnsOfX = x.Shape.Last, N = x.Count / columnsOfX;
        Check.That(nameof(TopK), groups >= 1 && columnsOfX % groups == 0, $"{columnsOfX} columns are not {groups} groups of one size");
        int E = columnsOfX / groups;
        Check.That(nameof(TopK), K >= 1 && K <= E, $"K is 1 to {E} (the columns), not {K}");

        Ints columns = x.Tape.Ints(N * groups * K);              // (N, groups·K)
        x.Tape.Backend.TopK(x.Data, N, groups, E, K, columns);
        return columns;
    }

    /// <summary>
    /// Top-k routing: each token takes the K experts of its largest logits, with gates softmax(logits) over those K, or
    /// over all E. The plan has the N·K rows in expert order. logits (N, E), result: the gate of each row (N·K).
    /// </summary>
    public static Tensor Route(this Tensor logits, int K, bool overAll, out RoutingPlan plan)
    {
        logits = logits.ToFloat32();
        int E = logits.Shape.Last, N = logits.Count / E, rows = N * K;
        Check.That(nameof(Route), K >= 1 && K <= E, $"K is 1 to {E} (the experts), not {K}");

        Tape tape = logits.Tape;
        Ints experts = tape.Ints(rows), rowsByToken = tape.Ints(rows); // (N, K)
        plan = new RoutingPlan(experts, tape.Ints(E + 1), tape.Ints(rows), tape.Ints(N + 1), rowsByToken);
        Tensor y = tape.New(rows);
        tape.Backend.RouteForward(
            logits.Data, overAll, N, E, K, experts, plan.Offsets, plan.Tokens, rowsByToken, plan.TokenOffsets, y.Data);

        // with g the gates of a token, p its softmax over all:  of a chosen logit g·(dg − Σ g·dg);   of another 0, or −p·Σ g·dg over all
        return tape.Record(nameof(Route), y, logits, experts, rowsByToken, overAll, static (y, logits, experts, rowsByToken, overAll) =>
        {
            int E = logits.Shape.Last, N = logits.Count / E, K = experts.Length / N;
            y.Tape.Backend.RouteBackward(
                y.Grad, logits.Data, y.Data, overAll, experts, rowsByToken, N, E, K, logits.GradTarget());
        }, readsOutput: true);
    }

    /// <summary>
    /// The plan of choices made already, −1 for one that is dropped, and the gate of each row, 0 for an unassigned
    /// row: N·K rows, or <paramref name="rows"/> where no more can be kept. gates, choices (N, K), result (rows).
    /// </summary>
    public static Tensor Assign(this Tensor gates, Ints choices, int E, int? rows, out RoutingPlan plan)
    {
        int K = gates.Shape.Last, N = gates.Count / K, count = rows ?? N * K;
        Check.Length(nameof(Assign), choices, N * K);

        Tape tape = gates.Tape;
        Ints choiceOfRow = tape.Ints(count);
        plan = new RoutingPlan(choices, tape.Ints(E + 1), tape.Ints(count), tape.Ints(N + 1), tape.Ints(count));
        Tensor y = tape.New(count);
        tape.Backend.Assign(
            choices, N, E, K, count, plan.Offsets, plan.Tokens, choiceOfRow, plan.RowsByToken, plan.TokenOffsets, gates.Data, y.Data);

        // dgates[choiceOfRow[r]] = dy[r], zero for a choice that was dropped
        return tape.Record(nameof(Assign), y, gates, choiceOfRow, static (y, gates, choiceOfRow) =>
            y.Tape.Backend.Scatter(y.Grad, choiceOfRow, choiceOfRow.Length, gates.Count, gates.GradTarget()));
    }

    /// <summary>y[n, k] = x[n, columns[n, k]]. x (N, E), columns (N·K), y (N, K).</summary>
    public static Tensor SelectColumns(this Tensor x, Ints columns, int K)
    {
        x = x.ToFloat32();
        int E = x.Shape.Last, N = x.Count / E;
        Check.Length(nameof(SelectColumns), columns, N * K);

        Tape tape = x.Tape;
        Tensor y = tape.New((N, K));
        tape.Backend.SelectColumns(x.Data, columns, N, E, K, y.Data);

        // dx[n, e] = Σ over k with columns[n, k] = e of dy[n, k]
        return tape.Record(nameof(SelectColumns), y, x, columns, static (y, x, columns) =>
            y.Tape.Backend.ScatterColumns(y.Grad, columns, y.Shape[0], x.Shape.Last, y.Shape[1], x.GradTarget()));
    }

    /// <summary>y[n, e] = Σ over k with columns[n, k] = e of x[n, k], zero elsewhere. x (N, K), columns (N·K), y (N, E).</summary>
    public static Tensor ScatterColumns(this Tensor x, Ints columns, int E)
    {
        x = x.ToFloat32();
        int K = x.Shape.Last, N = x.Count / K;
        Check.Length(nameof(ScatterColumns), columns, N * K);

        Tape tape = x.Tape;
        Tensor y = tape.New((N, E));
        tape.Backend.ScatterColumns(x.Data, columns, N, E, K, y.Data);

        // dx[n, k] = dy[n, columns[n, k]]
        return tape.Record(nameof(ScatterColumns), y, x, columns, static (y, x, columns) =>
            y.Tape.Backend.SelectColumns(y.Grad, columns, y.Shape[0], y.Shape[1], x.Shape.Last, x.GradTarget()));
    }
}

/// <summary>Which rows carry which tokens to which experts: N tokens with K choices each, as N·K rows in expert order.</summary>
/// <param name="Choices">The experts of each token (N, K).</param>
/// <param name="Offsets">Expert e owns rows Offsets[e] to before Offsets[e+1]; (E+1).</param>
/// <param name="Tokens">The token of each row (rows).</param>
/// <param name="TokenOffsets">Where each token's rows begin in RowsByToken (N+1).</param>
/// <param name="RowsByToken">The rows of each token, token by token (rows).</param>
public readonly record struct RoutingPlan(Ints Choices, Ints Offsets, Ints Tokens, Ints TokenOffsets, Ints RowsByToken);
