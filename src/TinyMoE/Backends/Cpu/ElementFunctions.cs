using System.Numerics;

namespace TinyMoE.Backends.Cpu;

/// <summary>A function of one value, for a vector of them; as a type, so that the loop over it is compiled with the function inside.</summary>
internal interface IUnary
{
    /// <summary>f(x).</summary>
    static abstract Vector<float> Value(Vector<float> x);

    /// <summary>f'(x), with y = f(x) at hand.</summary>
    static abstract Vector<float> Slope(Vector<float> x, Vector<float> y);
}

/// <summary>A function of two values, for a vector of them.</summary>
internal interface IBinary
{
    /// <summary>a ∘ b.</summary>
    static abstract Vector<float> Value(Vector<float> a, Vector<float> b);
}

/// <summary>A function of two values whose gradient needs the values.</summary>
internal interface IProduct : IBinary
{
    /// <summary>da.</summary>
    static abstract Vector<float> ByA(Vector<float> dy, Vector<float> b);

    /// <summary>db.</summary>
    static abstract Vector<float> ByB(Vector<float> dy, Vector<float> a, Vector<float> b);
}

internal readonly struct AddFunction : IBinary
{
    public static Vector<float> Value(Vector<float> a, Vector<float> b) => a + b;
}

internal readonly struct SubtractFunction : IBinary
{
    public static Vector<float> Value(Vector<float> a, Vector<float> b) => a - b;
}

internal readonly struct MultiplyFunction : IProduct
{
    public static Vector<float> Value(Vector<float> a, Vector<float> b) => a * b;

    public static Vector<float> ByA(Vector<float> dy, Vector<float> b) => dy * b;

    public static Vector<float> ByB(Vector<float> dy, Vector<float> a, Vector<float> b) => dy * a;
}

internal readonly struct DivideFunction : IProduct
{
    public static Vector<float> Value(Vector<float> a, Vector<float> b) => a / b;

    public static Vector<float> ByA(Vector<float> dy, Vector<float> b) => dy / b;

    public static Vector<float> ByB(Vector<float> dy, Vector<float> a, Vector<float> b) => -dy * a / (b * b);
}

internal readonly struct ExpFunction : IUnary
{
    public static Vector<float> Value(Vector<float> x) => VectorMath.Exp(x);

    public static Vector<float> Slope(Vector<float> x, Vector<float> y) => y;
}

internal readonly struct LogFunction : IUnary
{
    public static Vector<float> Value(Vector<float> x) => Vector.Log(x);

    public static Vector<float> Slope(Vector<float> x, Vector<float> y) => Vector<float>.One / x;
}

internal readonly struct SqrtFunction : IUnary
{
    public static Vector<float> Value(Vector<float> x) => Vector.SquareRoot(x);

    public static Vector<float> Slope(Vector<float> x, Vector<float> y) => new Vector<float>(0.5f) / y;
}

internal readonly struct SquareFunction : IUnary
{
    public static Vector<float> Value(Vector<float> x) => x * x;

    public static Vector<float> Slope(Vector<float> x, Vector<float> y) => x + x;
}

internal readonly struct SigmoidFunction : IUnary
{
    public static Vector<float> Value(Vector<float> x) => VectorMath.Sigmoid(x);

    public static Vector<float> Slope(Vector<float> x, Vector<float> y) => y * (Vector<float>.One - y);
}

internal readonly struct TanhFunction : IUnary
{
    public static Vector<float> Value(Vector<float> x) => VectorMath.Tanh(x);

    public static Vector<float> Slope(Vector<float> x, Vector<float> y) => Vector<float>.One - y * y;
}

internal readonly struct ReluFunction : IUnary
{
    public static Vector<float> Value(Vector<float> x) => Vector.Max(x, Vector<float>.Zero);

    public static Vector<float> Slope(Vector<float> x, Vector<float> y) => Vector.ConditionalSelect(Vector.GreaterThan(x, Vector<float>.Zero), Vector<float>.One, Vector<float>.Zero);
}

internal readonly struct GeluFunction : IUnary
{
    public static Vector<float> Value(Vector<float> x) => x * VectorMath.NormalCdf(x, out _);

    public static Vector<float> Slope(Vector<float> x, Vector<float> y)
    {
        Vector<float> cdf = VectorMath.NormalCdf(x, out Vector<float> density);
        return Vector.FusedMultiplyAdd(x, density, cdf);
    }
}

internal readonly struct SiluFunction : IUnary
{
    public static Vector<float> Value(Vector<float> x) => x * VectorMath.Sigmoid(x);

    public static Vector<float> Slope(Vector<float> x, Vector<float> y)
    {
        Vector<float> sigmoid = VectorMath.Sigmoid(x);
        return sigmoid * (Vector<float>.One + x * (Vector<float>.One - sigmoid));
    }
}

internal readonly struct SoftplusFunction : IUnary
{
    public static Vector<float> Value(Vector<float> x) => VectorMath.Softplus(x);

    public static Vector<float> Slope(Vector<float> x, Vector<float> y) => VectorMath.Sigmoid(x);
}

internal readonly struct NormalCdfFunction : IUnary
{
    public static Vector<float> Value(Vector<float> x) => VectorMath.NormalCdf(x, out _);

    public static Vector<float> Slope(Vector<float> x, Vector<float> y)
    {
        _ = VectorMath.NormalCdf(x, out Vector<float> density);
        return density;
    }
}
