using TinyMoE.Memory;

namespace TinyMoE.Backends;

// Functions of one value and of two.
public abstract partial class Backend
{
    /// <summary>y = f(x). x, y (n).</summary>
    public abstract void UnaryForward(Unary f, Values x, int n, Values y);

    /// <summary>dx = dy·f'(x). x, y = f(x), dy, dx (n); a stored dx may be dy itself. ReLU needs no x: y may stand for it.</summary>
    public abstract void UnaryBackward(Unary f, Values x, Values y, Values dy, int n, Target dx);

    /// <summary>y = a ∘ b. a, y (N, C); b (N, C), or (C) for every row, or (N) for every column, by <paramref name="broadcast"/>.</summary>
    public abstract void BinaryForward(Binary f, Values a, Values b, Broadcast broadcast, int N, int C, Values y);

    /// <summary>da, db of y = a ∘ b; db sums over what b was broadcast to. dy, a, da (N, C); b, db as in forward.</summary>
    public abstract void BinaryBackward(Binary f, Values dy, Values a, Values b, Broadcast broadcast, int N, int C, Target da, Target db);

    /// <summary>y = scale·x + shift. x, y (n); a stored y may be x itself.</summary>
    public abstract void Affine(Values x, float scale, float shift, int n, Target y);

    /// <summary>y = x, not below low and not above high; NaN stays. x, y (n); y may be x itself.</summary>
    public abstract void ClampForward(Values x, float low, float high, int n, Values y);

    /// <summary>dx = dy where x is from low to high, and 0 elsewhere. x, dy, dx (n).</summary>
    public abstract void ClampBackward(Values x, Values dy, float low, float high, int n, Target dx);
}

/// <summary>A function of one value.</summary>
public enum Unary
{
    /// <summary>eˣ.</summary>
    Exp,

    /// <summary>ln x.</summary>
    Log,

    /// <summary>√x.</summary>
    Sqrt,

    /// <summary>x².</summary>
    Square,

    /// <summary>1/(1 + e⁻ˣ).</summary>
    Sigmoid,

    /// <summary>Hyperbolic tangent.</summary>
    Tanh,

    /// <summary>max(x, 0).</summary>
    Relu,

    /// <summary>x·Φ(x), exact, with the error function (Hendrycks and Gimpel 2016).</summary>
    Gelu,

    /// <summary>x·sigmoid(x).</summary>
    Silu,

    /// <summary>ln(1 + eˣ), without overflow.</summary>
    Softplus,

    /// <summary>Φ(x), the distribution function of the standard normal.</summary>
    NormalCdf,
}

/// <summary>A function of two values.</summary>
public enum Binary
{
    /// <summary>a + b.</summary>
    Add,

    /// <summary>a − b.</summary>
    Subtract,

    /// <summary>a·b.</summary>
    Multiply,

    /// <summary>a/b.</summary>
    Divide,
}

/// <summary>How the second operand meets the first, a matrix (N, C).</summary>
public enum Broadcast
{
    /// <summary>b (N, C): element by element.</summary>
    None,

    /// <summary>b (C): the same row for every row.</summary>
    Row,

    /// <summary>b (N): the same column for every column.</summary>
    Column,
}
