using System.Numerics;
using System.Runtime.CompilerServices;

namespace TinyMoE.Backends.Cpu;

/// <summary>
/// Functions of a vector of floats, without branches, in float32 all the way (the library's own Exp computes in double precision at half the speed).
/// Errors are a few units in the last place unless said.
/// </summary>
internal static class VectorMath
{
    /// <summary>eˣ = 2ⁿ·eʳ with n = round(x/ln 2); the polynomial of eʳ is that of Cephes' expf (Moshier 1992).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Exp(Vector<float> x)
    {
        x = Vector.MaxNative(new Vector<float>(-104f), Vector.MinNative(new Vector<float>(89f), x)); // to 0 and ∞; x second, so that a NaN stays
        Vector<float> n = Vector.Round(x * 1.44269504f);
        Vector<float> r = Fused(n, -0.693359375f, x);
        r = Fused(n, 2.12194440e-4f, r);

        Vector<float> p = Fused(r, new Vector<float>(1.9875691500e-4f), 1.3981999507e-3f);
        p = Fused(p, r, 8.3334519073e-3f);
        p = Fused(p, r, 4.1665795894e-2f);
        p = Fused(p, r, 1.6666665459e-1f);
        p = Fused(p, r, 5.0000001201e-1f);
        p = Vector.FusedMultiplyAdd(p, r * r, r) + Vector<float>.One;

        Vector<int> exponent = Vector.ConvertToInt32Native(n), half = Vector.ShiftRightArithmetic(exponent, 1); // 2ⁿ in two factors: n may leave the range of one
        return p * PowerOfTwo(half) * PowerOfTwo(exponent - half);
    }

    /// <summary>1/(1 + e⁻ˣ).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Sigmoid(Vector<float> x) => Vector<float>.One / (Vector<float>.One + Exp(-x));

    /// <summary>Hyperbolic tangent: x + x³·P(x²) near zero (Cephes' tanhf), else sign(x)·(1 − 2/(e²ˡˣˡ + 1)).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Tanh(Vector<float> x)
    {
        Vector<float> magnitude = Vector.Abs(x), square = x * x;
        Vector<float> p = Fused(square, new Vector<float>(-5.70498872745e-3f), 2.06390887954e-2f);
        p = Fused(p, square, -5.37397155531e-2f);
        p = Fused(p, square, 1.33314422036e-1f);
        p = Fused(p, square, -3.33332819422e-1f);
        Vector<float> near = Vector.FusedMultiplyAdd(p * square, x, x);
        Vector<float> far = Vector<float>.One - new Vector<float>(2f) / (Exp(magnitude + magnitude) + Vector<float>.One);
        return Vector.ConditionalSelect(Vector.LessThan(magnitude, new Vector<float>(0.625f)), near, Vector.CopySign(far, x));
    }

    /// <summary>ln(1 + eˣ) = max(x, 0) + ln(1 + e⁻ˡˣˡ); Kahan's correction keeps ln(1 + e) exact where 1 + e rounds.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Softplus(Vector<float> x)
    {
        Vector<float> e = Exp(-Vector.Abs(x)), sum = Vector<float>.One + e, rounded = sum - Vector<float>.One;
        Vector<float> log = Vector.ConditionalSelect(Vector.Equals(rounded, Vector<float>.Zero), e, Vector.Log(sum) * e / rounded);
        return Vector.Max(x, Vector<float>.Zero) + log;
    }

    /// <summary>
    /// Φ(x) and φ(x) of the standard normal. For t = |x|, Φ(−t) = e^(−t²/2)·m(t), and m(t)·(t + 3) is a polynomial of degree 8 in (t − 3)/(t + 3),
    /// fitted by Remez' algorithm to a relative error of 4.7e-8 on 0 ≤ t ≤ 14, where Φ(−t) leaves the range of floats. Good in the tails too.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> NormalCdf(Vector<float> x, out Vector<float> density)
    {
        Vector<float> three = new(3f), t = Vector.MinNative(new Vector<float>(15f), Vector.Abs(x)), gauss = Exp(-0.5f * x * x);
        Vector<float> reciprocal = Vector<float>.One / (t + three), u = (t - three) * reciprocal;
        density = gauss * 0.398942280f; // 1/√(2π)
        Vector<float> p = Fused(u, new Vector<float>(-2.66765739e-4f), -9.03251814e-4f);
        p = Fused(p, u, 1.07603637e-3f);
        p = Fused(p, u, 6.92392141e-3f);
        p = Fused(p, u, -1.04799354e-2f);
        p = Fused(p, u, -4.72561009e-2f);
        p = Fused(p, u, 2.30019346e-1f);
        p = Fused(p, u, -5.09332299e-1f);
        p = Fused(p, u, 7.29083657e-1f);
        Vector<float> tail = gauss * (p * reciprocal); // Φ(−|x|)
        return Vector.ConditionalSelect(Vector.LessThan(x, Vector<float>.Zero), tail, Vector<float>.One - tail);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> Fused(Vector<float> a, Vector<float> b, float c) => Vector.FusedMultiplyAdd(a, b, new Vector<float>(c));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> Fused(Vector<float> a, float b, Vector<float> c) => Vector.FusedMultiplyAdd(a, new Vector<float>(b), c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> PowerOfTwo(Vector<int> n) => Vector.AsVectorSingle(Vector.ShiftLeft(n + new Vector<int>(127), 23));
}
