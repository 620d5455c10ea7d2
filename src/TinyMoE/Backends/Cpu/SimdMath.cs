using System.Runtime.CompilerServices;

namespace TinyMoE.Backends.Cpu;

/// <summary>
/// Functions of a vector of floats of any width, without branches, in float32 all the way (the library's own
/// Exp computes in double precision at half the speed). Errors are a few units in the last place unless said.
/// </summary>
internal static class SimdMath
{
    /// <summary>eˣ = 2ⁿ·eʳ with n = round(x/ln 2); the polynomial of eʳ is that of Cephes' expf (Moshier 1992).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        x = TSimd.Max(TSimd.Broadcast(-104f), TSimd.Min(TSimd.Broadcast(89f), x)); // to 0 and ∞; x second, so that a NaN stays
        TVector n = TSimd.Round(TSimd.Multiply(x, TSimd.Broadcast(1.44269504f)));
        TVector r = TSimd.MultiplyAdd(n, TSimd.Broadcast(-0.693359375f), x);
        r = TSimd.MultiplyAdd(n, TSimd.Broadcast(2.12194440e-4f), r);

        TVector p = TSimd.MultiplyAdd(r, TSimd.Broadcast(1.9875691500e-4f), TSimd.Broadcast(1.3981999507e-3f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(8.3334519073e-3f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(4.1665795894e-2f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(1.6666665459e-1f));
        p = TSimd.MultiplyAdd(p, r, TSimd.Broadcast(5.0000001201e-1f));
        p = TSimd.Add(TSimd.MultiplyAdd(p, TSimd.Multiply(r, r), r), TSimd.Broadcast(1f));
        return TSimd.Scale(p, n);
    }

    /// <summary>
    /// 2ˣ within one unit in the last place: with n the nearest whole number, 2ⁿ·2ˣ⁻ⁿ by a polynomial on [−½, ½]. Exactly 0 from 2⁻¹²⁷
    /// down, something below 2⁻¹²⁶ up to there; held at 2¹²⁷ above; NaN stays NaN.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Exp2<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        // 1.5·2²³ leaves no room for a fraction behind it: what is added to it is rounded to the nearest whole number, which is the lowest
        // bits of the sum. Of n = −127 the exponent's bits become 0, and those of 2⁰ = 1 behind them are 0 too: zero without a test.
        TVector whole = TSimd.Broadcast(12582912f), held = TSimd.Min(TSimd.Broadcast(127f), TSimd.Max(TSimd.Broadcast(-127f), x));
        TVector n = TSimd.Add(held, whole), f = TSimd.Subtract(held, TSimd.Subtract(n, whole));
        TVector y = TSimd.Broadcast(0.000154531634f);
        y = TSimd.MultiplyAdd(y, f, TSimd.Broadcast(0.00133908633f));
        y = TSimd.MultiplyAdd(y, f, TSimd.Broadcast(0.00961808302f));
        y = TSimd.MultiplyAdd(y, f, TSimd.Broadcast(0.0555035695f));
        y = TSimd.MultiplyAdd(y, f, TSimd.Broadcast(0.240226507f));
        y = TSimd.MultiplyAdd(y, f, TSimd.Broadcast(0.693147182f));
        y = TSimd.MultiplyAdd(y, f, TSimd.Broadcast(1f));
        return TSimd.ScaleByBits(y, n);
    }

    /// <summary>1/(1 + e⁻ˣ).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Sigmoid<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector one = TSimd.Broadcast(1f);
        return TSimd.Divide(one, TSimd.Add(one, Exp<TSimd, TVector>(TSimd.Subtract(TSimd.Broadcast(0f), x))));
    }

    /// <summary>Hyperbolic tangent: x + x³·P(x²) near zero (Cephes' tanhf), else sign(x)·(1 − 2/(e²ˡˣˡ + 1)).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Tanh<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector one = TSimd.Broadcast(1f), magnitude = TSimd.Abs(x), square = TSimd.Multiply(x, x);
        TVector p = TSimd.MultiplyAdd(square, TSimd.Broadcast(-5.70498872745e-3f), TSimd.Broadcast(2.06390887954e-2f));
        p = TSimd.MultiplyAdd(p, square, TSimd.Broadcast(-5.37397155531e-2f));
        p = TSimd.MultiplyAdd(p, square, TSimd.Broadcast(1.33314422036e-1f));
        p = TSimd.MultiplyAdd(p, square, TSimd.Broadcast(-3.33332819422e-1f));
        TVector near = TSimd.MultiplyAdd(TSimd.Multiply(p, square), x, x);
        TVector far =
            TSimd.Subtract(one, TSimd.Divide(TSimd.Broadcast(2f), TSimd.Add(Exp<TSimd, TVector>(TSimd.Add(magnitude, magnitude)), one)));
        return TSimd.WhereLess(magnitude, TSimd.Broadcast(0.625f), near, TSimd.CopySign(far, x));
    }

    /// <summary>ln(1 + eˣ) = max(x, 0) + ln(1 + e⁻ˡˣˡ); Kahan's correction keeps ln(1 + e) exact where 1 + e rounds.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Softplus<TSimd, TVector>(TVector x)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector zero = TSimd.Broadcast(0f), one = TSimd.Broadcast(1f);
        TVector e = Exp<TSimd, TVector>(TSimd.Subtract(zero, TSimd.Abs(x))), sum = TSimd.Add(one, e), rounded = TSimd.Subtract(sum, one);
        TVector log = TSimd.Divide(TSimd.Multiply(TSimd.Log(sum), e), rounded);
        return TSimd.Add(TSimd.Max(zero, x), TSimd.WhereLess(zero, rounded, log, e));
    }

    /// <summary>
    /// Φ(x) and φ(x) of the standard normal. For t = |x|, Φ(−t) = e^(−t²/2)·m(t), and m(t)·(t + 3)
    /// is a polynomial of degree 8 in (t − 3)/(t + 3), fitted by Remez' algorithm to a relative
    /// error of 4.7e-8 on 0 ≤ t ≤ 14, where Φ(−t) leaves the range of floats. Good in the tails too.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector NormalCdf<TSimd, TVector>(TVector x, out TVector density)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector one = TSimd.Broadcast(1f), three = TSimd.Broadcast(3f), t = TSimd.Min(TSimd.Broadcast(15f), TSimd.Abs(x));
        TVector gauss = Exp<TSimd, TVector>(TSimd.Multiply(TSimd.Multiply(TSimd.Broadcast(-0.5f), x), x));
        TVector reciprocal = TSimd.Divide(one, TSimd.Add(t, three)), u = TSimd.Multiply(TSimd.Subtract(t, three), reciprocal);
        density = TSimd.Multiply(gauss, TSimd.Broadcast(0.398942280f)); // 1/√(2π)
        TVector p = TSimd.MultiplyAdd(u, TSimd.Broadcast(-2.66765739e-4f), TSimd.Broadcast(-9.03251814e-4f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Broadcast(1.07603637e-3f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Broadcast(6.92392141e-3f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Broadcast(-1.04799354e-2f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Broadcast(-4.72561009e-2f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Broadcast(2.30019346e-1f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Broadcast(-5.09332299e-1f));
        p = TSimd.MultiplyAdd(p, u, TSimd.Broadcast(7.29083657e-1f));
        TVector tail = TSimd.Multiply(gauss, TSimd.Multiply(p, reciprocal)); // Φ(−|x|)
        return TSimd.WhereLess(x, TSimd.Broadcast(0f), tail, TSimd.Subtract(one, tail));
    }
}
