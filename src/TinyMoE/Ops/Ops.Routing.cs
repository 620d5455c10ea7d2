using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>Columns (T·K) of the K largest values of each row, largest first, the lower column among equals; NaN is below everything. x (T, E). Indices have no gradient.</summary>
    public static Ints TopK(this Tensor x, int K)
    {
        int E = x.Shape.Last, T = x.Count / E;
        Check.That(nameof(TopK), K >= 1 && K <= E, $"K is 1 to {E} (the columns), not {K}");

        Ints columns = x.Tape.Ints(T * K);                       // (T, K)
        x.Tape.Backend.TopK(x.Data, T, E, K, columns);
        return columns;
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

    /// <summary>y[i] = x[indices[i]], x taken flat; the indices differ from each other. x (any), indices, y (n).</summary>
    public static Tensor Gather(this Tensor x, Ints indices)
    {
        int n = indices.Length;

        Tape tape = x.Tape;
        Tensor y = tape.New(n);
        tape.Backend.Gather(x.Data, indices, n, y.Data);

        // dx[indices[i]] = dy[i], zero elsewhere
        return tape.Record(nameof(Gather), y, () =>
            tape.Backend.Scatter(y.Grad, indices, n, x.Count, x.GradTarget()));
    }
}
