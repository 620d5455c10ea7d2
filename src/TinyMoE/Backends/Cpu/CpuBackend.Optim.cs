using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// The optimiser reads and writes each of w, m and v once and g once, the clip folded in: it runs
// at the speed of memory. So the bfloat16 copy is made there too. The norm is summed in double.
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void Norm(Floats x, int n, Floats y)
    {
        int pieces = Ceiling.Divide(n, PieceSize);
        DeviceBuffer buffer = Pool.Rent((long)pieces * sizeof(double));
        View<double> sums = buffer.As<double>(pieces);
        workers.For(pieces, (x, n, sums), static (piece, in s) =>
        {
            var (start, length) = Range(piece, s.n);
            s.sums.Pointer[piece] = SumOfSquares(s.x.Pointer + start, length);
        });

        double total = 0;
        foreach (double sum in sums.Span)
            total += sum;
        Pool.Return(buffer);
        y.Pointer[0] = (float)Math.Sqrt(total);
    }

    /// <summary>
    /// Σ x² in double: the product of two floats is exact there, so only the additions are rounded, and these are in one order on any
    /// processor. Four streams, the quarters of x, side by side: of one alone memory gives half as much.
    /// </summary>
    private static double SumOfSquares(float* x, int n)
    {
        const int Wide = 4;
        Vector256<double> a = default, b = default, c = default, d = default;
        int quarter = n / (4 * Wide) * Wide;
        for (int i = 0; i < quarter; i += Wide)
        {
            a += Square(x + i);
            b += Square(x + quarter + i);
            c += Square(x + 2 * quarter + i);
            d += Square(x + 3 * quarter + i);
        }

        double rest = 0;
        for (int i = 4 * quarter; i < n; i++)
            rest += (double)x[i] * x[i];
        return Vector256.Sum((a + b) + (c + d)) + rest;
    }

    /// <summary>The squares of four floats.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<double> Square(float* x)
    {
        Vector128<float> four = Vector128.Load(x);
        Vector256<double> wide = Avx.IsSupported
            ? Avx.ConvertToVector256Double(four)
            : Vector256.Create(Vector128.WidenLower(four), Vector128.WidenUpper(four));
        return wide * wide;
    }

    /// <inheritdoc/>
    public override void AdamW(Floats g, Floats norm, in AdamWStep step, int n, Floats w, Floats m, Floats v, Bfloat16s copy = default)
    {
        float length = norm.IsNone ? 0f : norm.Pointer[0];
        if (!float.IsFinite(length))
            return;

        float* place = step.FactorsPlace.Pointer;
        (float rate, float root, float keep) = place is null ? step.Factors : (place[0], place[1], place[2]);
        ForElements(n, new AdamWLoop(g, step.GradientScale(length), step, rate, root, keep, w, m, v, copy));
    }

    private readonly record struct AdamWLoop(
        Floats G, float Scale, AdamWStep Step, float Rate, float Root, float Keep, Floats W, Floats M, Floats V, Bfloat16s Copy)
        : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            float* g = G.Pointer, w = W.Pointer, m = M.Pointer, v = V.Pointer;
            ushort* copy = Copy.Pointer;
            TVector beta1 = TSimd.Broadcast(Step.Beta1), beta2 = TSimd.Broadcast(Step.Beta2), rest1 = TSimd.Broadcast(1f - Step.Beta1),
                rest2 = TSimd.Broadcast(1f - Step.Beta2);
            TVector scale = TSimd.Broadcast(Scale), rate = TSimd.Broadcast(Rate), root = TSimd.Broadcast(Root),
                eps = TSimd.Broadcast(Step.Epsilon);
            TVector keep = TSimd.Broadcast(Keep);
            for (int i = start; i < end; i += TSimd.Count)
            {
                int left = end - i;
                TVector gHere = TSimd.Multiply(TSimd.Load(g + i, left), scale);
                TVector mHere = TSimd.MultiplyAdd(beta1, TSimd.Load(m + i, left), TSimd.Multiply(rest1, gHere));
                TVector vHere = TSimd.MultiplyAdd(beta2, TSimd.Load(v + i, left), TSimd.Multiply(TSimd.Multiply(rest2, gHere), gHere));
                TVector update = TSimd.Divide(TSimd.Multiply(rate, mHere), TSimd.MultiplyAdd(TSimd.Sqrt(vHere), root, eps));
                TVector wHere = TSimd.Subtract(TSimd.Multiply(keep, TSimd.Load(w + i, left)), update);
                TSimd.Store(wHere, w + i, left);
                if (copy is not null && left >= TSimd.Count)
                    TSimd.StoreBfloat16(TSimd.RoundToBfloat16(wHere), copy + i);
                TSimd.Store(mHere, m + i, left);
                TSimd.Store(vHere, v + i, left);
            }

            for (int i = end - (end - start) % TSimd.Count; copy is not null && i < end; i++)
                copy[i] = Bfloat16.Narrow(w[i]);
        }
    }
}
