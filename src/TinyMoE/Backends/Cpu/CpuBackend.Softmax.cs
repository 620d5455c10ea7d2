using System.Numerics;
using System.Numerics.Tensors;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// Every exponential is taken of x minus the row's largest value, so none overflows. The losses' forwards keep log Σ exp only: their backwards
// take the exponentials again, which costs less than storing N·V of them.
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void SoftmaxForward(Floats x, int N, int C, Floats y)
    {
        ForRows(N, C, (x, N, C, y), static (piece, in s) =>
        {
            var (start, end) = RowRange(piece, s.N, s.C);
            for (int n = start; n < end; n++)
                SoftmaxRow(s.x.Pointer + n * s.C, s.C, s.y.Pointer + n * s.C);
        });
    }

    /// <inheritdoc/>
    public override void SoftmaxBackward(Floats dy, Floats y, int N, int C, Target dx)
    {
        if (dx.IsNone)
            return;
        ForRows(N, C, (dy, y, N, C, dx), static (piece, in s) =>
        {
            var (start, end) = RowRange(piece, s.N, s.C);
            for (int n = start; n < end; n++)
            {
                // dx = y·(dy − Σ dy·y)
                float* dy = s.dy.Pointer + n * s.C, y = s.y.Pointer + n * s.C, dx = s.dx.View.Pointer + n * s.C;
                Vector<float> dots = Vector<float>.Zero;
                for (int c = 0; c < s.C; c += Lanes.Width)
                    dots += Lanes.Load(dy + c, s.C - c) * Lanes.Load(y + c, s.C - c);
                Vector<float> dot = new(Vector.Sum(dots));
                for (int c = 0; c < s.C; c += Lanes.Width)
                    Lanes.Write((Lanes.Load(dy + c, s.C - c) - dot) * Lanes.Load(y + c, s.C - c), dx + c, s.C - c, s.dx.Adds);
            }
        });
    }

    /// <inheritdoc/>
    public override void LogSumExpForward(Floats x, int N, int C, Floats y)
    {
        ForRows(N, C, (x, N, C, y), static (piece, in s) =>
        {
            var (start, end) = RowRange(piece, s.N, s.C);
            for (int n = start; n < end; n++)
            {
                float* x = s.x.Pointer + n * s.C;
                float largest = LargestOf(x, s.C);
                s.y.Pointer[n] = largest + MathF.Log(SumExp(x, s.C, largest, null));
            }
        });
    }

    /// <inheritdoc/>
    public override void LogSumExpBackward(Floats dy, Floats x, Floats y, int N, int C, Target dx)
    {
        if (dx.IsNone)
            return;
        ForRows(N, C, (dy, x, y, N, C, dx), static (piece, in s) =>
        {
            // dx[n, c] = dy[n]·exp(x[n, c] − y[n])
            var (start, end) = RowRange(piece, s.N, s.C);
            for (int n = start; n < end; n++)
                ScaledSoftmax(s.x.Pointer + n * s.C, s.y.Pointer[n], s.dy.Pointer[n], s.C, s.dx.View.Pointer + n * s.C, s.dx.Adds);
        });
    }

    /// <inheritdoc/>
    public override void CrossEntropyForward(Floats logits, Ints targets, int N, int V, Floats loss, Floats logSumExp)
    {
        foreach (int target in targets.Span)
        {
            if (target >= V)
                throw new ArgumentException($"CrossEntropy got target {target} for {V} logits.");
        }

        LogSumExpForward(logits, N, V, logSumExp);
        double sum = 0;
        for (int n = 0; n < N; n++)
        {
            int target = targets.Pointer[n];
            if (target >= 0)
                sum += (double)logSumExp.Pointer[n] - logits.Pointer[n * V + target];
        }

        *loss.Pointer = (float)(sum / Math.Max(1, CountTargets(targets)));
    }

    /// <inheritdoc/>
    public override void CrossEntropyBackward(Floats dloss, Floats logits, Ints targets, Floats logSumExp, int N, int V, Target dlogits)
    {
        if (dlogits.IsNone)
            return;
        float scale = *dloss.Pointer / Math.Max(1, CountTargets(targets));
        ForRows(N, V, (logits, targets, logSumExp, scale, N, V, dlogits), static (piece, in s) =>
        {
            // dlogits[n] = (softmax(logits[n]) − onehot(target))·dloss/count
            var (start, end) = RowRange(piece, s.N, s.V);
            for (int n = start; n < end; n++)
            {
                float* dx = s.dlogits.View.Pointer + n * s.V;
                int target = s.targets.Pointer[n];
                if (target >= 0)
                {
                    ScaledSoftmax(s.logits.Pointer + n * s.V, s.logSumExp.Pointer[n], s.scale, s.V, dx, s.dlogits.Adds);
                    dx[target] -= s.scale;
                }
                else if (!s.dlogits.Adds)
                {
                    new Span<float>(dx, s.V).Clear();
                }
            }
        });
    }

    /// <summary>dx = scale·exp(x − logSumExp).</summary>
    private static void ScaledSoftmax(float* x, float logSumExp, float scale, int C, float* dx, bool adds)
    {
        Vector<float> shift = new(logSumExp);
        for (int c = 0; c < C; c += Lanes.Width)
            Lanes.Write(VectorMath.Exp(Lanes.Load(x + c, C - c) - shift) * scale, dx + c, C - c, adds);
    }

    private static void SoftmaxRow(float* x, int C, float* y)
    {
        float scale = 1f / SumExp(x, C, LargestOf(x, C), y);
        for (int c = 0; c < C; c += Lanes.Width)
            Lanes.Store(Lanes.Load(y + c, C - c) * scale, y + c, C - c);
    }

    private static float LargestOf(float* x, int C) => TensorPrimitives.Max<float>(new ReadOnlySpan<float>(x, C));

    /// <summary>Σ exp(x − largest), from block to block in double precision; y, unless null, gets the exponentials.</summary>
    private static float SumExp(float* x, int C, float largest, float* y)
    {
        const int Block = 2048;
        double total = 0;
        Vector<float> shift = new(largest);
        for (int start = 0; start < C; start += Block)
        {
            int end = Math.Min(C, start + Block);
            Vector<float> sum = Vector<float>.Zero;
            for (int c = start; c < end; c += Lanes.Width)
            {
                Vector<float> term = VectorMath.Exp(Lanes.Load(x + c, C - c, float.NegativeInfinity) - shift);
                sum += term;
                if (y is not null)
                    Lanes.Store(term, y + c, C - c);
            }

            total += Vector.Sum(sum);
        }

        return (float)total;
    }

    private static int CountTargets(Ints targets)
    {
        int count = 0;
        foreach (int target in targets.Span)
            count += target >= 0 ? 1 : 0;
        return count;
    }
}
