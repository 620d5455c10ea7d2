using System.Numerics.Tensors;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void NoisyLogitsForward(Floats clean, Floats spread, Floats noise, float eps, int n, Floats sigma, Floats noisy) =>
        ForElements(n, new NoisyLogitsLoop(clean, spread, noise, eps, sigma, noisy));

    /// <inheritdoc/>
    public override void NoisyLogitsBackward(
        Floats dnoisy, Floats dsigma, Floats spread, Floats noise, int n, Target dclean, Target dspread) =>
        ForElements(n, new NoisyLogitsBackwardLoop(dnoisy, dsigma, spread, noise, dclean, dspread));

    /// <inheritdoc/>
    public override void ShareForward(Floats x, float scale, float least, int N, int C, Floats y)
    {
        ForRows(N, C, (x, scale, least, C, y), static (start, end, in s) =>
        {
            for (int n = start; n < end; n++)
            {
                Span<float> x = Row(s.x, n, s.C), y = Row(s.y, n, s.C);
                float total = TensorPrimitives.Sum<float>(x);
                if (total < s.least)
                {
                    y.Fill(s.scale / s.C);
                    continue;
                }

                TensorPrimitives.Divide(x, total, y);
                TensorPrimitives.Multiply(y, s.scale, y);
            }
        });
    }

    /// <inheritdoc/>
    public override void ShareBackward(Floats dy, Floats x, float scale, float least, int N, int C, Target dx)
    {
        if (!dx.IsNone)
            ForRows(N, C, new ShareBackwardLoop(dy, x, scale, least, C, dx));
    }

    private readonly record struct NoisyLogitsLoop(
        Floats Clean, Floats Spread, Floats Noise, float Epsilon, Floats Sigma, Floats Noisy) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            TVector epsilon = TSimd.Broadcast(Epsilon);
            for (int i = start; i < end; i += TSimd.Count)
            {
                int left = end - i;
                TVector sigma = TSimd.Add(SimdMath.Softplus<TSimd, TVector>(TSimd.Load(Spread.Pointer + i, left)), epsilon);
                TVector noise = TSimd.Multiply(sigma, TSimd.Load(Noise.Pointer + i, left));
                TSimd.Store(sigma, Sigma.Pointer + i, left);
                TSimd.Store(TSimd.Add(TSimd.Load(Clean.Pointer + i, left), noise), Noisy.Pointer + i, left);
            }
        }
    }

    /// <summary>dclean = dnoisy,  dspread = (dσ + dnoisy·noise)·sigmoid(spread).</summary>
    private readonly record struct NoisyLogitsBackwardLoop(
        Floats Dnoisy, Floats Dsigma, Floats Spread, Floats Noise, Target Dclean, Target Dspread) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            TVector zero = TSimd.Broadcast(0f);
            for (int i = start; i < end; i += TSimd.Count)
            {
                int left = end - i;
                TVector dnoisy = Dnoisy.IsNone ? zero : TSimd.Load(Dnoisy.Pointer + i, left),
                    dsigma = Dsigma.IsNone ? zero : TSimd.Load(Dsigma.Pointer + i, left);
                dsigma = TSimd.Add(dsigma, TSimd.Multiply(dnoisy, TSimd.Load(Noise.Pointer + i, left)));
                TVector slope = SimdMath.Sigmoid<TSimd, TVector>(TSimd.Load(Spread.Pointer + i, left));
                if (!Dclean.IsNone)
                    TSimd.Write(dnoisy, Dclean.View.Pointer + i, left, Dclean.Adds);
                if (!Dspread.IsNone)
                    TSimd.Write(TSimd.Multiply(dsigma, slope), Dspread.View.Pointer + i, left, Dspread.Adds);
            }
        }
    }

    /// <summary>
    /// With S = Σ x:  dx = scale·dy/S − Σ scale·dy·x/S². Where S is so small that its square would be 0, all is computed with x times a
    /// power of two, which changes no digit, and so is the result.
    /// </summary>
    private readonly record struct ShareBackwardLoop(Floats Dy, Floats X, float Scale, float Least, int C, Target Dx) : IVectorLoop
    {
        private const float Small = 1e-9f, Larger = 1L << 60; // 1e-35 times it can be squared, and so can 1e-9

        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            TVector zero = TSimd.Broadcast(0f), scale = TSimd.Broadcast(Scale);
            for (int n = start; n < end; n++)
            {
                float* dy = Dy.Pointer + n * C, x = X.Pointer + n * C, dx = Dx.View.Pointer + n * C;
                float rowTotal = TensorPrimitives.Sum<float>(Row(X, n, C));
                if (rowTotal < Least)
                {
                    if (!Dx.Adds)
                        new Span<float>(dx, C).Clear();
                    continue;
                }

                TVector factor = TSimd.Broadcast(rowTotal < Small ? Larger : 1f);
                TVector total = TSimd.Multiply(TSimd.Broadcast(rowTotal), factor), square = TSimd.Multiply(total, total), sum = zero;
                for (int c = 0; c < C; c += TSimd.Count)
                {
                    TVector gradient = TSimd.Multiply(TSimd.Load(dy + c, C - c), scale);
                    TSimd.Write(TSimd.Multiply(TSimd.Divide(gradient, total), factor), dx + c, C - c, Dx.Adds);
                    TVector value = TSimd.Multiply(TSimd.Load(x + c, C - c), factor);
                    sum = TSimd.Add(sum, TSimd.Divide(TSimd.Multiply(TSimd.Subtract(zero, gradient), value), square));
                }

                TVector dtotal = TSimd.Multiply(TSimd.Broadcast(TSimd.Sum(sum)), factor);
                for (int c = 0; c < C; c += TSimd.Count)
                    TSimd.Write(dtotal, dx + c, C - c, adds: true);
            }
        }
    }
}
