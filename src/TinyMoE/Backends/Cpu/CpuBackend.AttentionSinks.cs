using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <remarks>
/// Sinks after attention (gpt-oss; Xiao et al. 2023 have them as tokens): a softmax with one term more is the softmax without it times what
/// its share leaves, 1/(1 + e^(sink − logSumExp)). So attention itself knows nothing of them, forward and backward.
/// </remarks>
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    protected override void AttentionSinksForward(Floats sinks, in AttentionSizes sizes, Floats y, Floats logSumExp) =>
        ForRows(sizes.B * sizes.T * sizes.H, sizes.ValueSize, new SinksLoop(sinks, sizes, y, logSumExp));

    /// <inheritdoc/>
    protected override void AttentionSinksBackward(
        Floats dy, Floats y, Floats sinks, Floats logSumExp, in AttentionSizes sizes, Target dSinks)
    {
        if (!dSinks.IsNone)
            Simd.Run(new SinksBackwardWork(this, dy, y, sinks, logSumExp, sizes, dSinks), Simd.BitsOf(sizes.ValueSize, FewHeadValues));
    }

    // with p the sink's share, δ = dy·y: its slope is p·(0 − δ), since nothing but its share depends on it
    private void AttentionSinksBackward<TSimd, TVector>(
        Floats dy, Floats y, Floats sinks, Floats logSumExp, AttentionSizes sizes, Target dSinks)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        workers.For(sizes.H, (dy, y, sinks, logSumExp, sizes, dSinks), static (h, in s) =>
        {
            (int B, int T, int H, int D) = (s.sizes.B, s.sizes.T, s.sizes.H, s.sizes.ValueSize);
            float sink = s.sinks.Pointer[h];
            double sum = 0;
            for (int b = 0; b < B; b++)
            {
                for (int t = 0; t < T; t++)
                {
                    int row = ((b * T + t) * H + h) * D;
                    float share = MathF.Exp(sink - s.logSumExp.Pointer[(b * H + h) * T + t]);
                    sum -= (double)share * Dot<TSimd, TVector>(s.dy.Pointer + row, s.y.Pointer + row, D);
                }
            }

            Write(s.dSinks, h, (float)sum);
        });
    }

    /// <summary>y and the log-sum-exp of each query of each head, in place. Rows (b, t, h) of D.</summary>
    private readonly record struct SinksLoop(Floats Sinks, AttentionSizes Sizes, Floats Y, Floats LogSumExp) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            (int T, int H, int D) = (Sizes.T, Sizes.H, Sizes.ValueSize);
            float* y = Y.Pointer + start * D;
            for (int row = start; row < end; row++, y += D)
            {
                int h = row % H, t = row / H % T, b = row / H / T;
                float* log = LogSumExp.Pointer + (b * H + h) * T + t;
                float ahead = Sinks.Pointer[h] - *log; // of the sink before all keys
                TVector rest = TSimd.Broadcast(1f / (1f + MathF.Exp(ahead)));
                for (int i = 0; i < D; i += TSimd.Count)
                    TSimd.Store(TSimd.Multiply(TSimd.Load(y + i, D - i), rest), y + i, D - i);
                *log += MathF.Max(ahead, 0f) + MathF.Log(1f + MathF.Exp(-MathF.Abs(ahead)));
            }
        }
    }

    private readonly record struct SinksBackwardWork(
        CpuBackend Backend, Floats Dy, Floats Y, Floats Sinks, Floats LogSumExp, AttentionSizes Sizes, Target DSinks) : IVectorWork
    {
        void IVectorWork.Run<TSimd, TVector>() =>
            Backend.AttentionSinksBackward<TSimd, TVector>(Dy, Y, Sinks, LogSumExp, Sizes, DSinks);
    }
}
