using TinyMoE.Backends;
using TinyMoE.Memory;
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
        Tensor y = tape.New(x.Shape, x.Type);
        tape.Backend.Affine(x.Values, factor, 0f, x.Count, y.Values);

        // dx = factor·dy
        return tape.Record(nameof(Scale), y, x, factor, static (y, x, factor) =>
            y.Tape.Backend.Affine(y.GradValues, factor, 0f, x.Count, x.GradTarget()));
    }

    /// <summary>x + offset.</summary>
    public static Tensor Shift(this Tensor x, float offset)
    {
        Tape tape = x.Tape;
        Tensor y = tape.New(x.Shape, x.Type);
        tape.Backend.Affine(x.Values, 1f, offset, x.Count, y.Values);

        // dx = dy
        return tape.Record(nameof(Shift), y, x, static (y, x) => y.Tape.Backend.Affine(y.GradValues, 1f, 0f, x.Count, x.GradTarget()));
    }

    /// <summary>
    /// x, not below <paramref name="low"/> and not above <paramref name="high"/>; the gradient passes where x is from one to the other.
    /// </summary>
    public static Tensor Clamp(this Tensor x, float low, float high)
    {
        Check.That(nameof(Clamp), low <= high, $"the lower bound, {low}, is at most the upper, {high}");
        Tape tape = x.Tape;
        Tensor y = tape.New(x.Shape, x.Type);
        tape.Backend.ClampForward(x.Values, low, high, x.Count, y.Values);

        // dx = dy where low ≤ x ≤ high, else 0
        return tape.Record(nameof(Clamp), y, x, low, high, static (y, x, low, high) =>
            y.Tape.Backend.ClampBackward(x.Values, y.GradValues, low, high, x.Count, x.GradTarget()));
    }

    /// <summary>How far <see cref="Mask"/> lowers a score unless told: below what
    /// Sinkhorn's iteration and the auction take for absent (−10³⁰).</summary>
    public const float FarBelow = 1e35f;

    /// <summary>
    /// Scores that lose every comparison: x where <paramref name="keep"/> is <paramref name="whole"/>, and x −
    /// <paramref name="depth"/> where it is 0. The depth is finite, so a softmax over masked scores alone is equal
    /// shares and no 0/0. x (..., C); keep of the same shape, or a column (..., 1), a constant; result (..., C).
    /// </summary>
    public static Tensor Mask(this Tensor x, Tensor keep, float depth = FarBelow, float whole = 1f)
    {
        int C = x.Shape.Last, N = C == 0 ? 0 : x.Count / C;      // x (N, C), keep (N, C) or (N)
        Broadcast broadcast = BroadcastOf(nameof(Mask), x.Shape, keep.Shape);

        Tape tape = x.Tape;
        Backend backend = tape.Backend;
        Floats offset = tape.Constant(keep.Shape).Data;
        backend.Affine(keep.Data, 1f, -whole, keep.Count, offset);      // exactly 0 where x is kept: subtracted before it is scaled
        backend.Affine(offset, depth / whole, 0f, keep.Count, offset);
        Tensor y = tape.New(x.Shape, x.Type);                    // (N, C)
        backend.BinaryForward(Binary.Add, x.Values, offset, broadcast, N, C, y.Values);

        // dx = dy
        return tape.Record(nameof(Mask), y, x, offset, broadcast, static (y, x, offset, broadcast) =>
        {
            int C = x.Shape.Last, N = C == 0 ? 0 : x.Count / C;
            y.Tape.Backend.BinaryBackward(
                Binary.Add, y.GradValues, x.Values, offset, broadcast, N, C, x.GradTarget(), Target.None);
        });
    }

    private static Tensor Apply(Tensor x, Unary f)
    {
        Tape tape = x.Tape;
        Tensor y = tape.New(x.Shape, x.Type);
        tape.Backend.UnaryForward(f, x.Values, x.Count, y.Values);

        // dx = dy·f'(x)
        return tape.Record(Enum.GetName(f)!, y, x, f, static (y, x, f) =>
            y.Tape.Backend.UnaryBackward(f, x.Values, y.Values, y.GradValues, x.Count, x.GradTarget()), readsOutput: true);
    }

    private static Tensor Apply(Tensor a, Binary f, Tensor b)
    {
        int C = a.Shape.Last, N = C == 0 ? 0 : a.Count / C;      // a (N, C), b (N, C) or (C) or (N)
        Broadcast broadcast = BroadcastOf(Enum.GetName(f)!, a.Shape, b.Shape);

        Tape tape = a.Tape;
        Tensor y = tape.New(a.Shape, a.Type);                    // (N, C)
        tape.Backend.BinaryForward(f, a.Values, b.Values, broadcast, N, C, y.Values);

        // +: da = dy, db = dy; −: da = dy, db = −dy; ·: da = dy·b, db = dy·a;
        // /: da = dy/b, db = −dy·a/b²; db summed over what b was broadcast to
        return tape.Record(Enum.GetName(f)!, y, a, f, b, broadcast, static (y, a, f, b, broadcast) =>
        {
            int C = a.Shape.Last, N = C == 0 ? 0 : a.Count / C;
            y.Tape.Backend.BinaryBackward(f, y.GradValues, a.Values, b.Values, broadcast, N, C, a.GradTarget(), b.GradTarget());
        });
    }

    private static Broadcast BroadcastOf(string op, Shape a, Shape b)
    {
        if (b == a)
            return Broadcast.None;
        if (b.Rank == 1 && b.Last == a.Last)
            return Broadcast.Row;
        if (b.Last == 1 && (long)b.Count * a.Last == a.Count)
            return Broadcast.Column;
        throw new ArgumentException(
            $"{op} cannot broadcast {b} to {a}: the second operand is of the same shape, a row ({a.Last}), or a column (..., 1).");
    }
}
