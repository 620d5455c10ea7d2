using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// Every exponential is taken of x minus the row's largest value, so none overflows. The losses' forwards keep
// log Σ exp only: their backwards take the exponentials again, which costs less than storing N·V of them.
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void SoftmaxForward(Floats x, int N, int C, Floats y) => ForRows(N, C, new SoftmaxLoop(x, C, y));

    /// <inheritdoc/>
    public override void SoftmaxBackward(Floats dy, Floats y, int N, int C, Target dx)
    {
        if (!dx.IsNone)
            ForRows(N, C, new SoftmaxBackwardLoop(dy, y, C, dx));
    }

    /// <inheritdoc/>
    public override void LogSumExpForward(Floats x, int N, int C, Floats y) => ForRows(N, C, new LogSumExpLoop(x, C, y));

    /// <inheritdoc/>
    public override void LogSumExpBackward(Floats dy, Floats x, Floats y, int N, int C, Target dx)
    {
        if (!dx.IsNone)
            ForRows(N, C, new LogSumExpBackwardLoop(dy, x, y, C, dx));
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
        if (!dlogits.IsNone)
            ForRows(N, V,
                new CrossEntropyBackwardLoop(logits, targets, logSumExp, *dloss.Pointer / Math.Max(1, CountTargets(targets)), V, dlogits));
    }

    /// <inheritdoc/>
    public override void ZLossForward(Floats logits, Floats mask, float scale, int N, int E, Floats loss, Floats logSumExp)
    {
        LogSumExpForward(logits, N, E, logSumExp);
        DeviceBuffer scratch = Pool.Rent((long)N * sizeof(float));
        Floats squares = scratch.As<float>(N);                   // (N)
        for (int n = 0; n < N; n++)
            squares.Pointer[n] = Counts(mask, n) ? logSumExp.Pointer[n] * logSumExp.Pointer[n] : 0f;
        SumRows(squares, scale, N, 1, loss);
        Pool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void ZLossBackward(
        Floats dloss, Floats logits, Floats mask, Floats logSumExp, float scale, int N, int E, Target dlogits)
    {
        DeviceBuffer scratch = Pool.Rent((long)N * sizeof(float));
        Floats gradients = scratch.As<float>(N);                 // (N), of logSumExp
        float dsquare = scale * *dloss.Pointer;
        for (int n = 0; n < N; n++)
            gradients.Pointer[n] = Counts(mask, n) ? dsquare * (logSumExp.Pointer[n] + logSumExp.Pointer[n]) : 0f;
        LogSumExpBackward(gradients, logits, logSumExp, N, E, dlogits);
        Pool.Return(scratch);
    }

    /// <summary>dx = scale·exp(x − logSumExp).</summary>
    private static void ScaledSoftmax<TSimd, TVector>(float* x, float logSumExp, float scale, int C, float* dx, bool adds)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector shift = TSimd.Broadcast(logSumExp), factor = TSimd.Broadcast(scale);
        for (int c = 0; c < C; c += TSimd.Count)
        {
            TVector p = SimdMath.Exp<TSimd, TVector>(TSimd.Subtract(TSimd.Load(x + c, C - c), shift));
            TSimd.Write(TSimd.Multiply(p, factor), dx + c, C - c, adds);
        }
    }

    private static void SoftmaxRow<TSimd, TVector>(float* x, int C, float* y)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        // y holds the exponentials first, then the shares: one exponential per value, and a multiplication in place of a division.
        TVector scale = TSimd.Broadcast(1f / SumExp<TSimd, TVector>(x, C, LargestOf<TSimd, TVector>(x, C), y));
        for (int c = 0; c < C; c += TSimd.Count)
            TSimd.Store(TSimd.Multiply(TSimd.Load(y + c, C - c), scale), y + c, C - c);
    }

    /// <summary>The largest of x; of a row with a NaN any of its values, as its exponentials are NaN in any case.</summary>
    private static float LargestOf<TSimd, TVector>(float* x, int C)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector largest = TSimd.Load(x, C, float.NegativeInfinity);
        for (int c = TSimd.Count; c < C; c += TSimd.Count)
            largest = TSimd.Max(largest, TSimd.Load(x + c, C - c, float.NegativeInfinity));
        return TSimd.MaxLane(largest);
    }

    /// <summary>Σ exp(x − largest), from block to block in double precision; y, unless null, gets the exponentials.</summary>
    private static float SumExp<TSimd, TVector>(float* x, int C, float largest, float* y)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        // Lanes add up 2048 values in float, 128 each or more; beyond, rounding would show in rows
        // as long as a vocabulary, so blocks meet in double. Lanes past the end are −∞ and give 0.
        const int Block = 2048;
        double total = 0;
        TVector shift = TSimd.Broadcast(largest);
        for (int start = 0; start < C; start += Block)
        {
            int end = Math.Min(C, start + Block);
            TVector sum = TSimd.Broadcast(0f);
            for (int c = start; c < end; c += TSimd.Count)
            {
                TVector term = SimdMath.Exp<TSimd, TVector>(TSimd.Subtract(TSimd.Load(x + c, C - c, float.NegativeInfinity), shift));
                sum = TSimd.Add(sum, term);
                if (y is not null)
                    TSimd.Store(term, y + c, C - c);
            }

            total += TSimd.Sum(sum);
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

    private readonly record struct SoftmaxLoop(Floats X, int C, Floats Y) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            for (int n = start; n < end; n++)
                SoftmaxRow<TSimd, TVector>(X.Pointer + n * C, C, Y.Pointer + n * C);
        }
    }

    /// <summary>dx = y·(dy − Σ dy·y).</summary>
    private readonly record struct SoftmaxBackwardLoop(Floats Dy, Floats Y, int C, Target Dx) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            int C = this.C;
            bool adds = Dx.Adds;
            float* dy = Dy.Pointer + start * C, y = Y.Pointer + start * C, dx = Dx.View.Pointer + start * C;
            for (int n = start; n < end; n++, dy += C, y += C, dx += C)
            {
                TVector dots = TSimd.Broadcast(0f);
                for (int c = 0; c < C; c += TSimd.Count)
                    dots = TSimd.MultiplyAdd(TSimd.Load(dy + c, C - c), TSimd.Load(y + c, C - c), dots);
                TVector dot = TSimd.Broadcast(TSimd.Sum(dots));
                for (int c = 0; c < C; c += TSimd.Count)
                    TSimd.Write(
                        TSimd.Multiply(TSimd.Subtract(TSimd.Load(dy + c, C - c), dot), TSimd.Load(y + c, C - c)), dx + c, C - c, adds);
            }
        }
    }

    private readonly record struct LogSumExpLoop(Floats X, int C, Floats Y) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            for (int n = start; n < end; n++)
            {
                float* x = X.Pointer + n * C;
                float largest = LargestOf<TSimd, TVector>(x, C);
                Y.Pointer[n] = largest + MathF.Log(SumExp<TSimd, TVector>(x, C, largest, null));
            }
        }
    }

    /// <summary>dx[n, c] = dy[n]·exp(x[n, c] − y[n]).</summary>
    private readonly record struct LogSumExpBackwardLoop(Floats Dy, Floats X, Floats Y, int C, Target Dx) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            for (int n = start; n < end; n++)
                ScaledSoftmax<TSimd, TVector>(X.Pointer + n * C, Y.Pointer[n], Dy.Pointer[n], C, Dx.View.Pointer + n * C, Dx.Adds);
        }
    }

    /// <summary>dlogits[n] = (softmax(logits[n]) − onehot(target))·scale; nothing for a row without a target.</summary>
    private readonly record struct CrossEntropyBackwardLoop(
        Floats Logits, Ints Targets, Floats LogSumExp, float Scale, int V, Target Dlogits) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            int V = this.V;
            float* logits = Logits.Pointer + start * V, dlogits = Dlogits.View.Pointer + start * V, logSumExp = LogSumExp.Pointer;
            bool adds = Dlogits.Adds;
            for (int n = start; n < end; n++, logits += V, dlogits += V)
            {
                int target = Targets.Pointer[n];
                if (target >= 0)
                {
                    ScaledSoftmax<TSimd, TVector>(logits, logSumExp[n], Scale, V, dlogits, adds);
                    dlogits[target] -= Scale;
                }
                else if (!adds)
                {
                    new Span<float>(dlogits, V).Clear();
                }
            }
        }
    }
}
