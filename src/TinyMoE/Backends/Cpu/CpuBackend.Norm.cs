using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// A row stays in the first-level cache between its passes (statistics, then output). The backwards make dx and their block's part of dw and db in one visit.
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void RmsNormForward(Floats x, Floats w, int N, int C, float eps, Floats y, Floats r)
    {
        ForRows(N, C, (x, w, N, C, eps, y, r), static (piece, in s) =>
        {
            var (start, end) = RowRange(piece, s.N, s.C);
            float* w = s.w.Pointer;
            for (int n = start; n < end; n++)
            {
                float* x = s.x.Pointer + n * s.C, y = s.y.Pointer + n * s.C;
                float r = 1f / MathF.Sqrt(SquaredDistance(x, 0f, s.C) / s.C + s.eps);
                for (int c = 0; c < s.C; c += Lanes.Width)
                    Lanes.Store(Lanes.Load(x + c, s.C - c) * r * Lanes.Load(w + c, s.C - c), y + c, s.C - c);
                s.r.Pointer[n] = r;
            }
        });
    }

    /// <inheritdoc/>
    public override void RmsNormBackward(Floats dy, Floats x, Floats w, Floats r, int N, int C, Target dx, Target dw)
    {
        SumOverRows(N, C, (dy, x, w, r, C, dx), dw, Target.None, 1f, static (start, end, in s, dwSpan, _) =>
        {
            fixed (float* dw = dwSpan)
            {
                for (int n = start; n < end; n++)
                    NormBackwardRow(s.dy.Pointer + n * s.C, s.x.Pointer + n * s.C, s.w.Pointer, 0f, s.r.Pointer[n], s.C, At(s.dx, n * s.C), s.dx.Adds, centered: false, dw, null);
            }
        });
    }

    /// <inheritdoc/>
    public override void LayerNormForward(Floats x, Floats w, Floats b, int N, int C, float eps, Floats y, Floats mean, Floats r)
    {
        ForRows(N, C, (x, w, b, N, C, eps, y, mean, r), static (piece, in s) =>
        {
            var (start, end) = RowRange(piece, s.N, s.C);
            float* w = s.w.Pointer, b = s.b.Pointer;
            for (int n = start; n < end; n++)
            {
                float* x = s.x.Pointer + n * s.C, y = s.y.Pointer + n * s.C;
                float mean = TensorPrimitives.Sum<float>(new ReadOnlySpan<float>(x, s.C)) / s.C;
                float r = 1f / MathF.Sqrt(SquaredDistance(x, mean, s.C) / s.C + s.eps);
                Vector<float> shift = new(mean);
                for (int c = 0; c < s.C; c += Lanes.Width)
                {
                    int left = s.C - c;
                    Vector<float> value = (Lanes.Load(x + c, left) - shift) * r * Lanes.Load(w + c, left);
                    Lanes.Store(b is null ? value : value + Lanes.Load(b + c, left), y + c, left);
                }

                s.mean.Pointer[n] = mean;
                s.r.Pointer[n] = r;
            }
        });
    }

    /// <inheritdoc/>
    public override void LayerNormBackward(Floats dy, Floats x, Floats w, Floats mean, Floats r, int N, int C, Target dx, Target dw, Target db)
    {
        SumOverRows(N, C, (dy, x, w, mean, r, C, dx), dw, db, 1f, static (start, end, in s, dwSpan, dbSpan) =>
        {
            fixed (float* dw = dwSpan, db = dbSpan)
            {
                for (int n = start; n < end; n++)
                    NormBackwardRow(s.dy.Pointer + n * s.C, s.x.Pointer + n * s.C, s.w.Pointer, s.mean.Pointer[n], s.r.Pointer[n], s.C, At(s.dx, n * s.C), s.dx.Adds, centered: true, dw, db);
            }
        });
    }

    /// <summary>
    /// One row of either norm's backward, with x̂ = (x − mean)·r: dx = r·(dy·w − mean(dy·w) − x̂·mean(dy·w·x̂)), the first mean only when centered;
    /// dw += dy·x̂, db += dy. Outputs may be null.
    /// </summary>
    private static void NormBackwardRow(float* dy, float* x, float* w, float mean, float r, int C, float* dx, bool dxAdds, bool centered, float* dw, float* db)
    {
        Vector<float> shift = new(mean), sum = Vector<float>.Zero, dot = Vector<float>.Zero;
        for (int c = 0; c < C; c += Lanes.Width)
        {
            int left = C - c;
            Vector<float> dyHere = Lanes.Load(dy + c, left), normal = (Lanes.Load(x + c, left) - shift) * r, slope = dyHere * Lanes.Load(w + c, left);
            sum += slope;
            dot = Vector.FusedMultiplyAdd(slope, normal, dot); // missing lanes of dy are zero
            if (dw is not null)
                Lanes.Store(Vector.FusedMultiplyAdd(dyHere, normal, Lanes.Load(dw + c, left)), dw + c, left);
            if (db is not null)
                Lanes.Write(dyHere, db + c, left, adds: true);
        }

        if (dx is null)
            return;
        Vector<float> meanSlope = new(centered ? Vector.Sum(sum) / C : 0f), meanDot = new(Vector.Sum(dot) / C);
        for (int c = 0; c < C; c += Lanes.Width)
        {
            int left = C - c;
            Vector<float> normal = (Lanes.Load(x + c, left) - shift) * r, slope = Lanes.Load(dy + c, left) * Lanes.Load(w + c, left);
            Lanes.Write((slope - meanSlope - normal * meanDot) * r, dx + c, left, dxAdds);
        }
    }

    /// <summary>Σ (x − center)², in two chains of additions.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float SquaredDistance(float* x, float center, int C)
    {
        Vector<float> shift = new(center), even = Vector<float>.Zero, odd = Vector<float>.Zero;
        int c = 0;
        for (; c + Lanes.Width <= C; c += 2 * Lanes.Width)
        {
            Vector<float> one = Vector.Load(x + c) - shift, two = Lanes.Load(x + c + Lanes.Width, C - c - Lanes.Width, center) - shift;
            even = Vector.FusedMultiplyAdd(one, one, even);
            odd = Vector.FusedMultiplyAdd(two, two, odd);
        }

        if (c < C)
        {
            Vector<float> last = Lanes.Load(x + c, C - c, center) - shift;
            even = Vector.FusedMultiplyAdd(last, last, even);
        }

        return Vector.Sum(even + odd);
    }
}
