using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>The sum of the rows. x (..., C); result (C).</summary>
    public static Tensor SumRows(this Tensor x) => ReduceRows(nameof(SumRows), x, 1f);

    /// <summary>The mean of the rows. x (..., C); result (C).</summary>
    public static Tensor MeanRows(this Tensor x) => ReduceRows(nameof(MeanRows), x, (float)x.Shape.Last / x.Count);

    /// <summary>The sum of each row. x (..., C); result (..., 1).</summary>
    public static Tensor SumColumns(this Tensor x) => ReduceColumns(nameof(SumColumns), x, x.Shape.Last, x.Shape.WithLast(1), 1f);

    /// <summary>The mean of each row. x (..., C); result (..., 1).</summary>
    public static Tensor MeanColumns(this Tensor x) =>
        ReduceColumns(nameof(MeanColumns), x, x.Shape.Last, x.Shape.WithLast(1), 1f / x.Shape.Last);

    /// <summary>The sum of all elements; result (1).</summary>
    public static Tensor Sum(this Tensor x) => ReduceColumns(nameof(Sum), x, x.Count, 1, 1f);

    /// <summary>The mean of all elements; result (1).</summary>
    public static Tensor Mean(this Tensor x) => ReduceColumns(nameof(Mean), x, x.Count, 1, 1f / x.Count);

    private static Tensor ReduceRows(string op, Tensor x, float scale)
    {
        int C = x.Shape.Last, N = C == 0 ? 0 : x.Count / C;      // x (N, C)

        x = x.ToFloat32();
        Tape tape = x.Tape;
        Tensor y = tape.New(C);                                  // (C)
        tape.Backend.SumRows(x.Data, scale, N, C, y.Data);

        // dx[n, c] = scale·dy[c]
        return tape.Record(op, y, x, scale, static (y, x, scale) =>
            y.Tape.Backend.BroadcastRows(y.Grad, scale, y.Count == 0 ? 0 : x.Count / y.Count, y.Count, x.GradTarget()));
    }

    private static Tensor ReduceColumns(string op, Tensor x, int C, Shape shape, float scale)
    {
        int N = shape.Count;                                     // x (N, C)

        x = x.ToFloat32();
        Tape tape = x.Tape;
        Tensor y = tape.New(shape);                              // (N)
        tape.Backend.SumColumns(x.Data, scale, N, C, y.Data);

        // dx[n, c] = scale·dy[n]
        return tape.Record(op, y, x, C, scale, static (y, x, C, scale) =>
            y.Tape.Backend.BroadcastColumns(y.Grad, scale, y.Count, C, x.GradTarget()));
    }
}
