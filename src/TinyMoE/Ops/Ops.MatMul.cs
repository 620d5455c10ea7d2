using TinyMoE.Backends;
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>y = x·wᵀ + bias. x (..., in), w (out, in), bias (out) or null; y (..., out).</summary>
    public static Tensor Linear(this Tensor x, Tensor w, Tensor? bias = null)
    {
        int inputs = x.Shape.Last, outputs = w.Shape[0], N = x.Count / inputs;
        Check.Shape(nameof(Linear), w, (outputs, inputs));
        if (bias is not null)
            Check.Shape(nameof(Linear), bias, outputs);

        Tape tape = x.Tape;
        Backend backend = tape.Backend;
        Tensor y = tape.New(x.Shape.WithLast(outputs));     // (..., outputs)
        if (bias is not null)
            backend.BroadcastRows(bias.Data, 1f, N, outputs, y.Data);
        backend.MatMul(x.Data, false, w.Data, true, 1, N, outputs, inputs, new Target(y.Data, Adds: bias is not null));

        // dx = dy·w,   dw = dyᵀ·x,   dbias = Σ_n dy
        return tape.Record(nameof(Linear), y, () =>
        {
            backend.MatMul(y.Grad, false, w.Data, false, 1, N, inputs, outputs, x.GradTarget());
            backend.MatMul(y.Grad, true, x.Data, false, 1, outputs, inputs, N, w.GradTarget());
            if (bias is not null)
                backend.SumRows(y.Grad, 1f, N, outputs, bias.GradTarget());
        });
    }

    /// <summary>y = op(a)·op(b), op = transpose where the flag says. a (rows, inner), b (inner, columns), y (rows, columns); of rank 3, one product for each of the first dimension.</summary>
    public static Tensor MatMul(this Tensor a, Tensor b, bool transposeA = false, bool transposeB = false)
    {
        int rank = a.Shape.Rank, batch = rank == 3 ? a.Shape[0] : 1;
        Check.That(nameof(MatMul), rank is 2 or 3 && b.Shape.Rank == rank, $"a and b are of the same rank, 2 or 3, not {a.Shape} and {b.Shape}");
        int rows = a.Shape[transposeA ? rank - 1 : rank - 2], inner = a.Shape[transposeA ? rank - 2 : rank - 1];
        int columns = b.Shape[transposeB ? rank - 2 : rank - 1];
        var (bRows, bColumns) = transposeB ? (columns, inner) : (inner, columns);
        Check.Shape(nameof(MatMul), b, rank == 3 ? (batch, bRows, bColumns) : (bRows, bColumns));

        Tape tape = a.Tape;
        Backend backend = tape.Backend;
        Tensor y = tape.New(rank == 3 ? (batch, rows, columns) : (rows, columns));
        backend.MatMul(a.Data, transposeA, b.Data, transposeB, batch, rows, columns, inner, y.Data);

        // d op(a) = dy·op(b)ᵀ,   d op(b) = op(a)ᵀ·dy;   of a transposed operand both sides transposed: da = op(b)·dyᵀ,   db = dyᵀ·op(a)
        return tape.Record(nameof(MatMul), y, () =>
        {
            if (transposeA)
                backend.MatMul(b.Data, transposeB, y.Grad, true, batch, inner, rows, columns, a.GradTarget());
            else
                backend.MatMul(y.Grad, false, b.Data, !transposeB, batch, rows, inner, columns, a.GradTarget());
            if (transposeB)
                backend.MatMul(y.Grad, true, a.Data, transposeA, batch, columns, inner, rows, b.GradTarget());
            else
                backend.MatMul(a.Data, !transposeA, y.Grad, false, batch, inner, columns, rows, b.GradTarget());
        });
    }

    /// <summary>Each expert's linear map on its rows: y[n] = w[e]·x[n] + bias[e] for offsets[e] ≤ n &lt; offsets[e+1].
    /// x (N, in), w (E, out, in), offsets (E+1) from 0 to N, bias (E, out) or null; y (N, out).</summary>
    public static Tensor GroupedLinear(this Tensor x, Tensor w, Ints offsets, Tensor? bias = null)
    {
        int E = w.Shape[0], inputs = x.Shape.Last, outputs = w.Shape[1], N = x.Count / inputs;
        Check.Shape(nameof(GroupedLinear), x, (N, inputs));
        Check.Shape(nameof(GroupedLinear), w, (E, outputs, inputs));
        Check.Length(nameof(GroupedLinear), offsets, E + 1);
        if (bias is not null)
            Check.Shape(nameof(GroupedLinear), bias, (E, outputs));

        Tape tape = x.Tape;
        Backend backend = tape.Backend;
        Tensor y = tape.New((N, outputs));
        if (bias is not null)
            backend.GroupedBroadcast(bias.Data, offsets, E, N, outputs, y.Data);
        backend.GroupedMatMul(x.Data, w.Data, offsets, E, N, inputs, outputs, new Target(y.Data, Adds: bias is not null));

        // dx[n] = w[e]ᵀ·dy[n],   dw[e] = Σ_{n of e} dy[n]·x[n]ᵀ,   dbias[e] = Σ_{n of e} dy[n]
        return tape.Record(nameof(GroupedLinear), y, () =>
        {
            backend.GroupedMatMulBackwardInput(y.Grad, w.Data, offsets, E, N, inputs, outputs, x.GradTarget());
            backend.GroupedMatMulBackwardWeight(y.Grad, x.Data, offsets, E, N, inputs, outputs, w.GradTarget());
            if (bias is not null)
                backend.GroupedSum(y.Grad, offsets, E, N, outputs, bias.GradTarget());
        });
    }

    /// <summary>Sums each expert's rows: y[e] = Σ x[n] over offsets[e] ≤ n &lt; offsets[e+1]. x (N, C), offsets (E+1) from 0 to N; y (E, C).</summary>
    public static Tensor GroupedSum(this Tensor x, Ints offsets, int E)
    {
        int C = x.Shape.Last, N = x.Count / C;
        Check.Shape(nameof(GroupedSum), x, (N, C));
        Check.Length(nameof(GroupedSum), offsets, E + 1);

        Tape tape = x.Tape;
        Tensor y = tape.New((E, C));
        tape.Backend.GroupedSum(x.Data, offsets, E, N, C, y.Data);

        // dx[n] = dy[e]
        return tape.Record(nameof(GroupedSum), y, () => tape.Backend.GroupedBroadcast(y.Grad, offsets, E, N, C, x.GradTarget()));
    }
}
