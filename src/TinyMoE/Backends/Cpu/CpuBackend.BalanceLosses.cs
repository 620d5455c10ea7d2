using System.Numerics.Tensors;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// Sums over tokens are made as everywhere (SumOverRows); what is left, a row of experts, is done by one thread.
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void BalanceLossForward(Floats p, Floats shares, Floats mask, float scale, int groups, int N, int E, Floats loss)
    {
        int size = N / groups; // tokens of a group
        DeviceBuffer scratch = Pool.Rent((long)groups * E * sizeof(float));
        Floats sums = scratch.As<float>(groups * E);             // (groups, E)
        for (int g = 0; g < groups; g++)
        {
            Floats total = sums.Slice(g * E, E);
            SumOverRows(size, E, (p, mask, first: g * size, E), total, Target.None, scale, static (start, end, in s, partial, _) =>
                Simd.Run(new CountedRowsLoop(s.p, s.mask, s.E, partial), s.first + start, s.first + end, s.E));
        }

        TensorPrimitives.Multiply<float>(sums.Span, shares.Span, sums.Span);
        *loss.Pointer = TensorPrimitives.Sum<float>(sums.Span);
        Pool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void BalanceLossBackward(Floats dloss, Floats shares, Floats mask, float scale, int groups, int N, int E, Target dp)
    {
        if (dp.IsNone)
            return;
        DeviceBuffer scratch = Pool.Rent((long)groups * E * sizeof(float));
        Floats gradients = scratch.As<float>(groups * E);        // (groups, E), dloss·shares
        TensorPrimitives.Multiply(shares.Span, *dloss.Pointer, gradients.Span);
        ForRows(N, E, (gradients, mask, scale, size: N / groups, E, dp), static (start, end, in s) =>
        {
            for (int n = start; n < end; n++)
            {
                Span<float> gradient = Row(s.gradients, n / s.size, s.E), dp = Row(s.dp.View, n, s.E);
                if (!Counts(s.mask, n))
                    ClearUnless(s.dp.Adds, dp);
                else if (s.dp.Adds)
                    TensorPrimitives.MultiplyAdd(gradient, s.scale, dp, dp);
                else
                    TensorPrimitives.Multiply(gradient, s.scale, dp);
            }
        });
        Pool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void SquaredVariationForward(Floats x, float eps, int n, Floats y)
    {
        DeviceBuffer scratch = Pool.Rent((long)n * sizeof(float));
        Variation v = new(x.Span, eps, scratch.As<float>(n).Span);
        *y.Pointer = v.Variance / v.Denominator;
        Pool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void SquaredVariationBackward(Floats dy, Floats x, float eps, int n, Target dx)
    {
        if (dx.IsNone)
            return;
        DeviceBuffer scratch = Pool.Rent((long)n * sizeof(float));
        Span<float> differences = scratch.As<float>(n).Span;     // x − mean
        Variation v = new(x.Span, eps, differences);
        float dvariance = *dy.Pointer / v.Denominator, ddenominator = -*dy.Pointer * v.Variance / (v.Denominator * v.Denominator);
        float dsquare = 1f / n * dvariance, dmean = ddenominator * (v.Mean + v.Mean);
        for (int i = 0; i < n; i++)
        {
            differences[i] = dsquare * (differences[i] + differences[i]); // now their gradients
            Write(dx, i, differences[i]);
        }

        dmean -= TensorPrimitives.Sum<float>(differences);
        TensorPrimitives.Add(dx.View.Span, 1f / n * dmean, dx.View.Span);
        Pool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void SmoothLoadForward(
        Floats clean, Floats noisy, Floats sigma, Ints best, Floats mask, int N, int E, int K, Floats load)
    {
        SmoothLoadLoop loop =
            new() { Clean = clean, Noisy = noisy, Sigma = sigma, Best = best, Mask = mask, E = E, K = K, Workers = workers };
        SumOverRows(N, E, loop, load, Target.None, 1f, static (start, end, in loop, sum, _) =>
            Simd.Run(loop with { Load = sum }, start, end, loop.E));
    }

    /// <inheritdoc/>
    public override void SmoothLoadBackward(
        Floats dload, Floats clean, Floats noisy, Floats sigma, Ints best, Floats mask, int N, int E, int K, Target dclean, Target dnoisy,
        Target dsigma)
    {
        SmoothLoadLoop loop =
            new() { Clean = clean, Noisy = noisy, Sigma = sigma, Best = best, Mask = mask, E = E, K = K, Workers = workers };
        ForRows(N, E, new SmoothLoadBackwardLoop(loop, dload, dclean, dnoisy, dsigma));
    }

    /// <summary>Whether row n counts. mask (N), or empty.</summary>
    private static bool Counts(Floats mask, int n) => mask.IsNone || mask.Pointer[n] != 0f;

    private static void ClearUnless(bool adds, Span<float> y)
    {
        if (!adds)
            y.Clear();
    }

    /// <summary>Adds rows that count, in order, to a sum that stays in a register: a call for each row takes longer.</summary>
    private readonly record struct CountedRowsLoop(Floats P, Floats Mask, int E, Floats Sum) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            int E = this.E;
            for (int e = 0; e < E; e += TSimd.Count)
            {
                float* to = Sum.Pointer + e, row = P.Pointer + (nint)start * E + e;
                TVector sum = TSimd.Load(to, E - e);
                for (int n = start; n < end; n++, row += E)
                {
                    if (Counts(Mask, n))
                        sum = TSimd.Add(sum, TSimd.Load(row, E - e));
                }

                TSimd.Store(sum, to, E - e);
            }
        }
    }

    /// <summary>Mean and population variance of x (n), and what the variance
    /// is divided by; leaves x − mean in its differences (n).</summary>
    private readonly ref struct Variation
    {
        public readonly float Mean, Variance, Denominator;

        public Variation(ReadOnlySpan<float> x, float eps, Span<float> differences)
        {
            Mean = 1f / x.Length * TensorPrimitives.Sum(x);
            TensorPrimitives.Subtract(x, Mean, differences);
            Variance = 1f / x.Length * TensorPrimitives.SumOfSquares<float>(differences);
            Denominator = Mean * Mean + eps;
        }
    }

    /// <summary>What both directions of the smooth load read; forward itself. A row of scratch says who is chosen, 1 or 0.</summary>
    private readonly record struct SmoothLoadLoop : IVectorLoop
    {
        public required Floats Clean { get; init; }

        public required Floats Noisy { get; init; }

        public required Floats Sigma { get; init; }

        public required Ints Best { get; init; }

        public required Floats Mask { get; init; }

        public required int E { get; init; }

        public required int K { get; init; }

        public required Workers Workers { get; init; }

        public Floats Load { get; init; }

        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            float* chosen = Address(Workers.ThreadScratch(E));
            for (int n = start; n < end; n++)
            {
                if (!Counts(Mask, n))
                    continue;
                var (thresholdIn, thresholdOut) = Thresholds<TSimd, TVector>(n, chosen);
                for (int e = 0; e < E; e += TSimd.Count)
                {
                    TVector excess = Excess<TSimd, TVector>(n, e, chosen, thresholdIn, thresholdOut);
                    TVector chance = SimdMath.NormalCdf<TSimd, TVector>(TSimd.Divide(excess, SigmaAt<TSimd, TVector>(n, e)), out _);
                    TSimd.Write(chance, Load.Pointer + e, E - e, adds: true);
                }
            }
        }

        /// <summary>Marks who is chosen by token n; what a chosen one and another is measured by.</summary>
        public (TVector In, TVector Out) Thresholds<TSimd, TVector>(int n, float* chosen)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            int* best = Best.Pointer + n * (K + 1);
            float* noisy = Noisy.Pointer + n * E;
            new Span<float>(chosen, E).Clear();
            for (int k = 0; k < K; k++)
                chosen[best[k]] = 1f;
            return (TSimd.Broadcast(noisy[best[K]]), TSimd.Broadcast(noisy[best[K - 1]]));
        }

        /// <summary>clean − threshold.</summary>
        public TVector Excess<TSimd, TVector>(int n, int e, float* chosen, TVector thresholdIn, TVector thresholdOut)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            TVector threshold = TSimd.WhereLess(TSimd.Broadcast(0f), TSimd.Load(chosen + e, E - e), thresholdIn, thresholdOut);
            return TSimd.Subtract(TSimd.Load(Clean.Pointer + n * E + e, E - e), threshold);
        }

        public TVector SigmaAt<TSimd, TVector>(int n, int e)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct => TSimd.Load(Sigma.Pointer + n * E + e, E - e, fill: 1f);
    }

    /// <summary>
    /// With z = (clean − threshold)/σ and dz = dload·φ(z): dclean = dz/σ, dσ = −dz·(clean
    /// − threshold)/σ², and minus dclean to the threshold, summed over those that have it.
    /// </summary>
    private readonly record struct SmoothLoadBackwardLoop(
        SmoothLoadLoop Forward, Floats Dload, Target Dclean, Target Dnoisy, Target Dsigma) : IVectorLoop
    {
        void IVectorLoop.Run<TSimd, TVector>(int start, int end)
        {
            int E = Forward.E, K = Forward.K;
            float* chosen = Address(Forward.Workers.ThreadScratch(2 * E)), gradients = chosen + E;
            TVector zero = TSimd.Broadcast(0f), one = TSimd.Broadcast(1f);
            for (int n = start; n < end; n++)
            {
                float* dclean = At(Dclean, n * E), dsigma = At(Dsigma, n * E), dnoisy = At(Dnoisy, n * E);
                bool counts = Counts(Forward.Mask, n);
                var (thresholdIn, thresholdOut) = Forward.Thresholds<TSimd, TVector>(n, chosen);
                TVector sumIn = zero, sumOut = zero;
                for (int e = 0; e < E; e += TSimd.Count)
                {
                    int left = E - e;
                    TVector excess = Forward.Excess<TSimd, TVector>(
                        n, e, chosen, thresholdIn, thresholdOut), sigma = Forward.SigmaAt<TSimd, TVector>(n, e);
                    _ = SimdMath.NormalCdf<TSimd, TVector>(TSimd.Divide(excess, sigma), out TVector density);
                    TVector dz = counts ? TSimd.Multiply(TSimd.Load(Dload.Pointer + e, left), density) : zero,
                        dexcess = TSimd.Divide(dz, sigma);
                    if (dclean is not null)
                        TSimd.Write(dexcess, dclean + e, left, Dclean.Adds);
                    if (dsigma is not null)
                        TSimd.Write(TSimd.Divide(TSimd.Multiply(TSimd.Subtract(zero, dz), excess), TSimd.Multiply(sigma, sigma)),
                            dsigma + e, left, Dsigma.Adds);
                    TVector dthreshold = TSimd.Subtract(zero, dexcess), isIn = TSimd.Load(chosen + e, left);
                    sumIn = TSimd.Add(sumIn, TSimd.Multiply(dthreshold, isIn));
                    sumOut = TSimd.Add(sumOut, TSimd.Multiply(dthreshold, TSimd.Subtract(one, isIn)));
                }

                if (dnoisy is null)
                    continue;
                int* best = Forward.Best.Pointer + n * (K + 1);
                new Span<float>(gradients, E).Clear();
                gradients[best[K]] = TSimd.Sum(sumIn);
                gradients[best[K - 1]] = TSimd.Sum(sumOut);
                for (int e = 0; e < E; e += TSimd.Count)
                    TSimd.Write(TSimd.Load(gradients + e, E - e), dnoisy + e, E - e, Dnoisy.Adds);
            }
        }
    }
}
