using TinyMoE.Backends;
using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>
    /// Each expert's linear map on its rows: y[n] = w[e]·x[n] + bias[e] for offsets[e] ≤ n &lt; offsets[e+1]. Rows from offsets[E] on
    /// are unassigned and give zeros. Where w has values in bfloat16 the product reads those and adds up in float32; where w is to compute
    /// in bfloat16 (not only kept so) y and the gradient dy are rounded to it, and of an activated or gated map what is behind the
    /// activation. x (N, in), w (E, out, in), offsets (E+1) from 0, bias (E, out) or null; y (N, out).
    /// </summary>
    public static Tensor GroupedLinear(this Tensor x, Tensor w, Ints offsets, Tensor? bias = null) =>
        Project(nameof(GroupedLinear), x, w, offsets, bias);

    /// <summary>y[n] = f(w[e]·x[n] + bias[e]), shapes as of <see cref="GroupedLinear"/>.</summary>
    public static Tensor GroupedLinearActivated(this Tensor x, Tensor w, Ints offsets, Unary f, Tensor? bias = null) =>
        Project(nameof(GroupedLinearActivated), x, w, offsets, bias, f);

    /// <summary>y[n] = silu(gate[n])·(w[e]·x[n] + bias[e]), gate (N, out), other shapes as of <see cref="GroupedLinear"/>.</summary>
    public static Tensor GroupedLinearGated(this Tensor x, Tensor gate, Tensor w, Ints offsets, Tensor? bias = null) =>
        Project(nameof(GroupedLinearGated), x, w, offsets, bias, gate: gate);

    /// <summary>Sums each expert's rows: y[e] = Σ x[n] over offsets[e] ≤ n
    /// &lt; offsets[e+1]. x (N, C), offsets (E+1) from 0; y (E, C).</summary>
    public static Tensor GroupedSum(this Tensor x, Ints offsets, int E)
    {
        x = x.ToFloat32();
        int C = x.Shape.Last, N = x.Count / C;
        Check.Shape(nameof(GroupedSum), x, (N, C));
        Check.Length(nameof(GroupedSum), offsets, E + 1);

        Tape tape = x.Tape;
        Tensor y = tape.New((E, C));
        tape.Backend.GroupedSum(x.Values, offsets, E, N, C, y.Data);

        // dx[n] = dy[e], zero for unassigned rows
        return tape.Record(nameof(GroupedSum), y, x, offsets, static (y, x, offsets) =>
            y.Tape.Backend.GroupedBroadcast(y.Grad, offsets, y.Shape[0], x.Shape[0], x.Shape[1], x.GradTarget()));
    }
}
