namespace TinyMoE.Backends.Cpu;

/// <summary>A function of one value, for a vector of them; as a type, so
/// that the loop over it is compiled with the function inside.</summary>
internal interface IUnary
{
    /// <summary>f(x).</summary>
    static abstract TVector Value<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;

    /// <summary>f'(x), with y = f(x) at hand.</summary>
    static abstract TVector Slope<TSimd, TVector>(TVector x, TVector y)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;
}

/// <summary>A function of two values, for a vector of them.</summary>
internal interface IBinary
{
    /// <summary>a ∘ b.</summary>
    static abstract TVector Value<TSimd, TVector>(TVector a, TVector b)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;
}

/// <summary>A function of two values whose gradient needs the values.</summary>
internal interface IProduct : IBinary
{
    /// <summary>da, the gradient by a.</summary>
    static abstract TVector ByA<TSimd, TVector>(TVector dy, TVector b)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;

    /// <summary>db, the gradient by b.</summary>
    static abstract TVector ByB<TSimd, TVector>(TVector dy, TVector a, TVector b)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct;
}

internal readonly struct AddFunction : IBinary
{
    static TVector IBinary.Value<TSimd, TVector>(TVector a, TVector b) => TSimd.Add(a, b);
}

internal readonly struct SubtractFunction : IBinary
{
    static TVector IBinary.Value<TSimd, TVector>(TVector a, TVector b) => TSimd.Subtract(a, b);
}

internal readonly struct MultiplyFunction : IProduct
{
    static TVector IBinary.Value<TSimd, TVector>(TVector a, TVector b) => TSimd.Multiply(a, b);

    static TVector IProduct.ByA<TSimd, TVector>(TVector dy, TVector b) => TSimd.Multiply(dy, b);

    static TVector IProduct.ByB<TSimd, TVector>(TVector dy, TVector a, TVector b) => TSimd.Multiply(dy, a);
}

internal readonly struct DivideFunction : IProduct
{
    static TVector IBinary.Value<TSimd, TVector>(TVector a, TVector b) => TSimd.Divide(a, b);

    static TVector IProduct.ByA<TSimd, TVector>(TVector dy, TVector b) => TSimd.Divide(dy, b);

    // −dy·a/b²
    static TVector IProduct.ByB<TSimd, TVector>(TVector dy, TVector a, TVector b) =>
        TSimd.Divide(TSimd.Multiply(TSimd.Subtract(TSimd.Broadcast(0f), dy), a), TSimd.Multiply(b, b));
}

internal readonly struct ExpFunction : IUnary
{
    static TVector IUnary.Value<TSimd, TVector>(TVector x) => SimdMath.Exp<TSimd, TVector>(x);

    static TVector IUnary.Slope<TSimd, TVector>(TVector x, TVector y) => y;
}

internal readonly struct LogFunction : IUnary
{
    static TVector IUnary.Value<TSimd, TVector>(TVector x) => TSimd.Log(x);

    static TVector IUnary.Slope<TSimd, TVector>(TVector x, TVector y) => TSimd.Divide(TSimd.Broadcast(1f), x);
}

internal readonly struct SqrtFunction : IUnary
{
    static TVector IUnary.Value<TSimd, TVector>(TVector x) => TSimd.Sqrt(x);

    static TVector IUnary.Slope<TSimd, TVector>(TVector x, TVector y) => TSimd.Divide(TSimd.Broadcast(0.5f), y);
}

internal readonly struct SquareFunction : IUnary
{
    static TVector IUnary.Value<TSimd, TVector>(TVector x) => TSimd.Multiply(x, x);

    static TVector IUnary.Slope<TSimd, TVector>(TVector x, TVector y) => TSimd.Add(x, x);
}

internal readonly struct SigmoidFunction : IUnary
{
    static TVector IUnary.Value<TSimd, TVector>(TVector x) => SimdMath.Sigmoid<TSimd, TVector>(x);

    // y·(1 − y)
    static TVector IUnary.Slope<TSimd, TVector>(TVector x, TVector y) => TSimd.Multiply(y, TSimd.Subtract(TSimd.Broadcast(1f), y));
}

internal readonly struct TanhFunction : IUnary
{
    static TVector IUnary.Value<TSimd, TVector>(TVector x) => SimdMath.Tanh<TSimd, TVector>(x);

    // 1 − y²
    static TVector IUnary.Slope<TSimd, TVector>(TVector x, TVector y) => TSimd.Subtract(TSimd.Broadcast(1f), TSimd.Multiply(y, y));
}

internal readonly struct ReluFunction : IUnary
{
    static TVector IUnary.Value<TSimd, TVector>(TVector x) => TSimd.Max(TSimd.Broadcast(0f), x);

    static TVector IUnary.Slope<TSimd, TVector>(TVector x, TVector y) =>
        TSimd.WhereLess(TSimd.Broadcast(0f), x, TSimd.Broadcast(1f), TSimd.Broadcast(0f));
}

internal readonly struct GeluFunction : IUnary
{
    static TVector IUnary.Value<TSimd, TVector>(TVector x) => TSimd.Multiply(x, SimdMath.NormalCdf<TSimd, TVector>(x, out _));

    // x·φ(x) + Φ(x)
    static TVector IUnary.Slope<TSimd, TVector>(TVector x, TVector y)
    {
        TVector cdf = SimdMath.NormalCdf<TSimd, TVector>(x, out TVector density);
        return TSimd.MultiplyAdd(x, density, cdf);
    }
}

internal readonly struct SiluFunction : IUnary
{
    static TVector IUnary.Value<TSimd, TVector>(TVector x) => TSimd.Multiply(x, SimdMath.Sigmoid<TSimd, TVector>(x));

    // σ·(1 + x·(1 − σ))
    static TVector IUnary.Slope<TSimd, TVector>(TVector x, TVector y)
    {
        TVector one = TSimd.Broadcast(1f), sigmoid = SimdMath.Sigmoid<TSimd, TVector>(x);
        return TSimd.Multiply(sigmoid, TSimd.MultiplyAdd(x, TSimd.Subtract(one, sigmoid), one));
    }
}

internal readonly struct SoftplusFunction : IUnary
{
    static TVector IUnary.Value<TSimd, TVector>(TVector x) => SimdMath.Softplus<TSimd, TVector>(x);

    static TVector IUnary.Slope<TSimd, TVector>(TVector x, TVector y) => SimdMath.Sigmoid<TSimd, TVector>(x);
}

internal readonly struct NormalCdfFunction : IUnary
{
    static TVector IUnary.Value<TSimd, TVector>(TVector x) => SimdMath.NormalCdf<TSimd, TVector>(x, out _);

    static TVector IUnary.Slope<TSimd, TVector>(TVector x, TVector y)
    {
        _ = SimdMath.NormalCdf<TSimd, TVector>(x, out TVector density);
        return density;
    }
}
