using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TinyMoE.Backends.Cpu;

/// <summary>
/// A vector width as a type argument. A kernel written once over (TSimd, TVector) is compiled once for each of 128, 256 and 512 bits, every call
/// below becoming one instruction.
/// </summary>
internal unsafe interface ISimd<TVector>
    where TVector : struct
{
    /// <summary>Floats in a vector.</summary>
    static abstract int Count { get; }

    /// <summary>Vector registers that the processor has of this width.</summary>
    static abstract int Registers { get; }

    /// <summary>0, 1, 2, ...</summary>
    static abstract TVector Indices { get; }

    static abstract TVector Load(float* source);

    static abstract void Store(TVector value, float* destination);

    static abstract TVector Broadcast(float value);

    static abstract TVector Add(TVector a, TVector b);

    static abstract TVector Subtract(TVector a, TVector b);

    static abstract TVector Multiply(TVector a, TVector b);

    static abstract TVector Divide(TVector a, TVector b);

    /// <summary>a·b + c, rounded once where the processor can.</summary>
    static abstract TVector MultiplyAdd(TVector a, TVector b, TVector c);

    /// <summary>The larger; b when either is NaN.</summary>
    static abstract TVector Max(TVector a, TVector b);

    /// <summary>The smaller; b when either is NaN.</summary>
    static abstract TVector Min(TVector a, TVector b);

    static abstract TVector Round(TVector a);

    /// <summary>a &lt; b ? then : otherwise, lane by lane.</summary>
    static abstract TVector WhereLess(TVector a, TVector b, TVector then, TVector otherwise);

    /// <summary>value·2ᵉ for whole e, by adding to the exponent bits.</summary>
    static abstract TVector Scale(TVector value, TVector e);

    static abstract TVector Log2(TVector a);

    /// <summary>Sum of the lanes.</summary>
    static abstract float Sum(TVector a);

    /// <summary>Largest lane.</summary>
    static abstract float MaxLane(TVector a);
}

/// <summary>Vectors of 4 floats.</summary>
internal readonly unsafe struct Simd128 : ISimd<Vector128<float>>
{
    public static int Count => 4;

    public static int Registers => 16;

    public static Vector128<float> Indices => Vector128<float>.Indices;

    public static Vector128<float> Load(float* source) => Vector128.Load(source);

    public static void Store(Vector128<float> value, float* destination) => value.Store(destination);

    public static Vector128<float> Broadcast(float value) => Vector128.Create(value);

    public static Vector128<float> Add(Vector128<float> a, Vector128<float> b) => a + b;

    public static Vector128<float> Subtract(Vector128<float> a, Vector128<float> b) => a - b;

    public static Vector128<float> Multiply(Vector128<float> a, Vector128<float> b) => a * b;

    public static Vector128<float> Divide(Vector128<float> a, Vector128<float> b) => a / b;

    public static Vector128<float> MultiplyAdd(Vector128<float> a, Vector128<float> b, Vector128<float> c) => Vector128.MultiplyAddEstimate(a, b, c);

    public static Vector128<float> Max(Vector128<float> a, Vector128<float> b) => Vector128.MaxNative(a, b);

    public static Vector128<float> Min(Vector128<float> a, Vector128<float> b) => Vector128.MinNative(a, b);

    public static Vector128<float> Round(Vector128<float> a) => Vector128.Round(a);

    public static Vector128<float> WhereLess(Vector128<float> a, Vector128<float> b, Vector128<float> then, Vector128<float> otherwise) =>
        Vector128.ConditionalSelect(Vector128.LessThan(a, b), then, otherwise);

    public static Vector128<float> Scale(Vector128<float> value, Vector128<float> e) =>
        (value.AsInt32() + (Vector128.ConvertToInt32Native(e) << 23)).AsSingle();

    public static Vector128<float> Log2(Vector128<float> a) => Vector128.Log2(a);

    public static float Sum(Vector128<float> a) => Vector128.Sum(a);

    public static float MaxLane(Vector128<float> a)
    {
        Vector128<float> half = Vector128.MaxNative(a, Vector128.Shuffle(a, Vector128.Create(2, 3, 0, 1)));
        return Vector128.MaxNative(half, Vector128.Shuffle(half, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }
}

/// <summary>Vectors of 8 floats.</summary>
internal readonly unsafe struct Simd256 : ISimd<Vector256<float>>
{
    public static int Count => 8;

    public static int Registers => 16;

    public static Vector256<float> Indices => Vector256<float>.Indices;

    public static Vector256<float> Load(float* source) => Vector256.Load(source);

    public static void Store(Vector256<float> value, float* destination) => value.Store(destination);

    public static Vector256<float> Broadcast(float value) => Vector256.Create(value);

    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;

    public static Vector256<float> Subtract(Vector256<float> a, Vector256<float> b) => a - b;

    public static Vector256<float> Multiply(Vector256<float> a, Vector256<float> b) => a * b;

    public static Vector256<float> Divide(Vector256<float> a, Vector256<float> b) => a / b;

    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) => Vector256.MultiplyAddEstimate(a, b, c);

    public static Vector256<float> Max(Vector256<float> a, Vector256<float> b) => Vector256.MaxNative(a, b);

    public static Vector256<float> Min(Vector256<float> a, Vector256<float> b) => Vector256.MinNative(a, b);

    public static Vector256<float> Round(Vector256<float> a) => Vector256.Round(a);

    public static Vector256<float> WhereLess(Vector256<float> a, Vector256<float> b, Vector256<float> then, Vector256<float> otherwise) =>
        Vector256.ConditionalSelect(Vector256.LessThan(a, b), then, otherwise);

    public static Vector256<float> Scale(Vector256<float> value, Vector256<float> e) =>
        (value.AsInt32() + (Vector256.ConvertToInt32Native(e) << 23)).AsSingle();

    public static Vector256<float> Log2(Vector256<float> a) => Vector256.Log2(a);

    public static float Sum(Vector256<float> a) => Vector256.Sum(a);

    public static float MaxLane(Vector256<float> a) => Simd128.MaxLane(Vector128.MaxNative(a.GetLower(), a.GetUpper()));
}

/// <summary>Vectors of 16 floats.</summary>
internal readonly unsafe struct Simd512 : ISimd<Vector512<float>>
{
    public static int Count => 16;

    public static int Registers => 32;

    public static Vector512<float> Indices => Vector512<float>.Indices;

    public static Vector512<float> Load(float* source) => Vector512.Load(source);

    public static void Store(Vector512<float> value, float* destination) => value.Store(destination);

    public static Vector512<float> Broadcast(float value) => Vector512.Create(value);

    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => a + b;

    public static Vector512<float> Subtract(Vector512<float> a, Vector512<float> b) => a - b;

    public static Vector512<float> Multiply(Vector512<float> a, Vector512<float> b) => a * b;

    public static Vector512<float> Divide(Vector512<float> a, Vector512<float> b) => a / b;

    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) => Vector512.MultiplyAddEstimate(a, b, c);

    public static Vector512<float> Max(Vector512<float> a, Vector512<float> b) => Vector512.MaxNative(a, b);

    public static Vector512<float> Min(Vector512<float> a, Vector512<float> b) => Vector512.MinNative(a, b);

    public static Vector512<float> Round(Vector512<float> a) => Vector512.Round(a);

    public static Vector512<float> WhereLess(Vector512<float> a, Vector512<float> b, Vector512<float> then, Vector512<float> otherwise) =>
        Vector512.ConditionalSelect(Vector512.LessThan(a, b), then, otherwise);

    public static Vector512<float> Scale(Vector512<float> value, Vector512<float> e) =>
        (value.AsInt32() + (Vector512.ConvertToInt32Native(e) << 23)).AsSingle();

    public static Vector512<float> Log2(Vector512<float> a) => Vector512.Log2(a);

    public static float Sum(Vector512<float> a) => Simd256.Sum(a.GetLower() + a.GetUpper());

    public static float MaxLane(Vector512<float> a) => Simd256.MaxLane(Vector256.MaxNative(a.GetLower(), a.GetUpper()));
}

/// <summary>Functions of vectors of any width.</summary>
internal static class SimdMath
{
    /// <summary>
    /// 2ˣ within one unit in the last place: with n the nearest whole number, 2ⁿ·2ˣ⁻ⁿ by a polynomial on [−½, ½]. Exactly 0 below 2⁻¹²⁶,
    /// held at 2¹²⁷ above; NaN stays NaN.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp2<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector smallest = TSimd.Broadcast(-126f);
        TVector held = TSimd.Min(TSimd.Broadcast(127f), TSimd.Max(smallest, x));
        TVector n = TSimd.Round(held), f = TSimd.Subtract(held, n);
        TVector y = TSimd.Broadcast(0.000154531634f);
        y = TSimd.MultiplyAdd(y, f, TSimd.Broadcast(0.00133908633f));
        y = TSimd.MultiplyAdd(y, f, TSimd.Broadcast(0.00961808302f));
        y = TSimd.MultiplyAdd(y, f, TSimd.Broadcast(0.0555035695f));
        y = TSimd.MultiplyAdd(y, f, TSimd.Broadcast(0.240226507f));
        y = TSimd.MultiplyAdd(y, f, TSimd.Broadcast(0.693147182f));
        y = TSimd.MultiplyAdd(y, f, TSimd.Broadcast(1f));
        return TSimd.WhereLess(x, smallest, TSimd.Broadcast(0f), TSimd.Scale(y, n));
    }
}
