using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.CompilerServices;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// A row stays in the first-level cache between its passes (sum, statistics, output). The backwards make dx, dbranch and their block's part of dw and db in one visit.
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void RmsNormForward(Floats x, Floats branch, Floats w, int N, int C, float eps, Floats s, Floats y, Floats r)
    {
        ForRows(N, C, (x, branch, w, N, C, eps, sum: s, y, r), static (piece, in s) =>
        {
            var (start, end) = RowRange(piece, s.N, s.C);
            float* w = s.w.Pointer;
            for (int n = start; n < end; n++)
            {
                float* x = SumOfRow(s.x, s.branch, s.sum, n, s.C), y = s.y.Pointer + n * s.C;
                float r = 1f / MathF.Sqrt(SquaredDistance(x, 0f, s.C) / s.C + s.eps);
                for (int c = 0; c < s.C; c += Lanes.Width)
                    Lanes.Store(Lanes.Load(x + c, s.C - c) * r * Lanes.Load(w + c, s.C - c), y + c, s.C - c);
                s.r.Pointer[n] = r;
            }
        });
    }

    /// <inheritdoc/>
    public override void RmsNormBackward(Floats dy, Floats ds, Floats s, Floats w, Floats r, int N, int C, Target dx, Target dbranch, Target dw)
    {
        SumOverRows(N, C, (dy, ds, x: s, w, r, C, dx, dbranch), dw, Target.None, 1f, static (start, end, in s, dwSpan, _) =>
        {
            fixed (float* dw = dwSpan)
            {
                for (int n = start; n < end; n++)
                {
                    NormRow row = new(n * s.C, s.C, s.dy, s.ds, s.x, s.dx, s.dbranch);
                    NormBackwardRow(row, s.w.Pointer, 0f, s.r.Pointer[n], centered: false, dw, null);
                }
            }
        });
    }

    /// <inheritdoc/>
    public override void LayerNormForward(Floats x, Floats branch, Floats w, Floats b, int N, int C, float eps, Floats s, Floats y, Floats mean, Floats r)
    {
        ForRows(N, C, (x, branch, w, b, N, C, eps, sum: s, y, mean, r), static (piece, in s) =>
        {
            var (start, end) = RowRange(piece, s.N, s.C);
            float* w = s.w.Pointer, b = s.b.Pointer;
            for (int n = start; n < end; n++)
            {
                float* x = SumOfRow(s.x, s.branch, s.sum, n, s.C), y = s.y.Pointer + n * s.C;
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
    public override void LayerNormBackward(
        Floats dy, Floats ds, Floats s, Floats w, Floats mean, Floats r, int N, int C, Target dx, Target dbranch, Target dw, Target db)
    {
        SumOverRows(N, C, (dy, ds, x: s, w, mean, r, C, dx, dbranch), dw, db, 1f, static (start, end, in s, dwSpan, dbSpan) =>
        {
            fixed (float* dw = dwSpan, db = dbSpan)
            {
                for (int n = start; n < end; n++)
                {
                    NormRow row = new(n * s.C, s.C, s.dy, s.ds, s.x, s.dx, s.dbranch);
                    NormBackwardRow(row, s.w.Pointer, s.mean.Pointer[n], s.r.Pointer[n], centered: true, dw, db);
                }
            }
        });
    }

    /// <summary>Row n of x, or of s = x + branch, which it computes.</summary>
    private static float* SumOfRow(Floats x, Floats branch, Floats sum, int n, int C)
    {
        nint at = (nint)n * C;
        if (branch.IsNone)
            return x.Pointer + at;
        float* left = x.Pointer + at, right = branch.Pointer + at, to = sum.Pointer + at;
        for (int c = 0; c < C; c += Lanes.Width)
            Lanes.Store(Lanes.Load(left + c, C - c) + Lanes.Load(right + c, C - c), to + c, C - c);
        return to;
    }

    /// <summary>
    /// One row of either norm's backward, with x̂ = (x − mean)·r: dx = r·(dy·w − mean(dy·w) − x̂·mean(dy·w·x̂)) + ds, the first mean only when centered;
    /// dbranch is the same, dw += dy·x̂, db += dy. Outputs may be null.
    /// </summary>
    private static void NormBackwardRow(in NormRow row, float* w, float mean, float r, bool centered, float* dw, float* db)
    {
        int C = row.C;
        float* dy = row.Dy, ds = row.Ds, x = row.X, dx = row.Dx, dbranch = row.Dbranch;
        bool dxAdds = row.DxAdds, dbranchAdds = row.DbranchAdds;
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

        if (dx is null && dbranch is null)
            return;
        Vector<float> meanSlope = new(centered ? Vector.Sum(sum) / C : 0f), meanDot = new(Vector.Sum(dot) / C);
        for (int c = 0; c < C; c += Lanes.Width)
        {
            int left = C - c;
            Vector<float> normal = (Lanes.Load(x + c, left) - shift) * r, slope = Lanes.Load(dy + c, left) * Lanes.Load(w + c, left);
            Vector<float> dxHere = (slope - meanSlope - normal * meanDot) * r;
            if (ds is not null)
                dxHere += Lanes.Load(ds + c, left);
            if (dx is not null)
                Lanes.Write(dxHere, dx + c, left, dxAdds);
            if (dbranch is not null)
                Lanes.Write(dxHere, dbranch + c, left, dbranchAdds);
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

    /// <summary>Where one row of C elements of a norm's backward lies in each of its matrices; null: in none.</summary>
    private readonly struct NormRow(int start, int C, Floats dy, Floats ds, Floats x, Target dx, Target dbranch)
    {
        public readonly int C = C;
        public readonly float* Dy = dy.Pointer + start;
        public readonly float* Ds = At(ds, start);
        public readonly float* X = x.Pointer + start;
        public readonly float* Dx = At(dx, start);
        public readonly float* Dbranch = At(dbranch, start);
        public readonly bool DxAdds = dx.Adds;
        public readonly bool DbranchAdds = dbranch.Adds;
    }
}
