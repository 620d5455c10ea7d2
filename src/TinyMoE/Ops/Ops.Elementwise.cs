using TinyMoE.Backends;
using TinyMoE.Tensors;

namespace TinyMoE.Ops;

public static partial class Ops
{
    /// <summary>eˣ.</summary>
    public static Tensor Exp(this Tensor x) => Apply(x, Unary.Exp);

    /// <summary>ln x.</summary>
    public static Tensor Log(this Tensor x) => Apply(x, Unary.Log);

    /// <summary>√x.</summary>
    public static Tensor Sqrt(this Tensor x) => Apply(x, Unary.Sqrt);

    /// <summary>x².</summary>
    public static Tensor Square(this Tensor x) => Apply(x, Unary.Square);

    /// <summary>1/(1 + e⁻ˣ).</summary>
    public static Tensor Sigmoid(this Tensor x) => Apply(x, Unary.Sigmoid);

    /// <summary>Hyperbolic tangent.</summary>
    public static Tensor Tanh(this Tensor x) => Apply(x, Unary.Tanh);

    /// <summary>max(x, 0).</summary>
    public static Tensor Relu(this Tensor x) => Apply(x, Unary.Relu);

    /// <summary>x·Φ(x), exact (Hendrycks and Gimpel 2016).</summary>
    public static Tensor Gelu(this Tensor x) => Apply(x, Unary.Gelu);

    /// <summary>x·sigmoid(x).</summary>
    public static Tensor Silu(this Tensor x) => Apply(x, Unary.Silu);

    /// <summary>ln(1 + eˣ), without overflow.</summary>
    public static Tensor Softplus(this Tensor x) => Apply(x, Unary.Softplus);

    /// <summary>Φ(x), the distribution function of the standard normal.</summary>
    public static Tensor NormalCdf(this Tensor x) => Apply(x, Unary.NormalCdf);

    /// <summary>a + b. a (..., C); b of the same shape, or (C) for every row, or (..., 1) for every column.</summary>
    public static Tensor Add(this Tensor a, Tensor b) => Apply(a, Binary.Add, b);

    /// <summary>a − b, shapes as for <see cref="Add"/>.</summary>
    public static Tensor Subtract(this Tensor a, Tensor b) => Apply(a, Binary.Subtract, b);

    /// <summary>a·b element by element, shapes as for <see cref="Add"/>.</summary>
    public static Tensor Multiply(this Tensor a, Tensor b) => Apply(a, Binary.Multiply, b);

    /// <summary>a/b, shapes as for <see cref="Add"/>.</summary>
    public static Tensor Divide(this Tensor a, Tensor b) => Apply(a, Binary.Divide, b);

    /// <summary>factor·x.</summary>
    public static Tensor Scale(this Tensor x, float factor)
    {
        Tape tape = x.Tape;
        Tensor y = tape.New(x.Shape);
        tape.Backend.Affine(x.Data, factor, 0f, x.Count, y.Data);

        // dx = factor·dy
        return tape.Record(nameof(Scale), y, () => tape.Backend.Affine(y.Grad, factor, 0f, x.Count, x.GradTarget()));
    }

    /// <summary>x + offset.</summary>
    public static Tensor Shift(this Tensor x, float offset)
    {
        Tape tape = x.Tape;
        Tensor y = tape.New(x.Shape);
        tape.Backend.Affine(x.Data, 1f, offset, x.Count, y.Data);

        // dx = dy
        return tape.Record(nameof(Shift), y, () => tape.Backend.Affine(y.Grad, 1f, 0f, x.Count, x.GradTarget()));
    }

    private static Tensor Apply(Tensor x, Unary f)
    {
        Tape tape = x.Tape;
        Tensor y = tape.New(x.Shape);
        tape.Backend.UnaryForward(f, x.Data, x.Count, y.Data);

        // dx = dy·f'(x)
        return tape.Record(f.ToString(), y, () => tape.Backend.UnaryBackward(f, x.Data, y.Data, y.Grad, x.Count, x.GradTarget()), readsOutput: true);
    }

    private static Tensor Apply(Tensor a, Binary f, Tensor b)
    {
        int C = a.Shape.Last, N = C == 0 ? 0 : a.Count / C;      // a (N, C), b (N, C) or (C) or (N)
        Broadcast broadcast = BroadcastOf(f, a.Shape, b.Shape);

        Tape tape = a.Tape;
        Tensor y = tape.New(a.Shape);                            // (N, C)
        tape.Backend.BinaryForward(f, a.Data, b.Data, broadcast, N, C, y.Data);

        // +: da = dy, db = dy;   −: da = dy, db = −dy;   ·: da = dy·b, db = dy·a;   /: da = dy/b, db = −dy·a/b²;   db summed over what b was broadcast to
        return tape.Record(f.ToString(), y, () =>
            tape.Backend.BinaryBackward(f, y.Grad, a.Data, b.Data, broadcast, N, C, a.GradTarget(), b.GradTarget()));
    }

    private static Broadcast BroadcastOf(Binary f, Shape a, Shape b)
    {
        if (b == a)
            return Broadcast.None;
        if (b.Rank == 1 && b.Last == a.Last)
            return Broadcast.Row;
        if (b.Last == 1 && (long)b.Count * a.Last == a.Count)
            return Broadcast.Column;
        throw new ArgumentException($"{f} cannot broadcast {b} to {a}: the second operand is of the same shape, a row ({a.Last}), or a column (..., 1).");
    }
}
