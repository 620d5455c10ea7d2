using TinyMoE.Memory;

namespace TinyMoE.Backends;

// The table of formulas of ProfilingBackend.Kernels.cs, for what mixtures have: routing, choices, gates, balance losses, dispatch.
public sealed partial class ProfilingBackend
{
    // ---- Routing --------------------------------------------------------------------------------------------------------------------
    /// <inheritdoc/>
    public override void TopK(Floats x, int T, int groups, int E, int K, Ints columns)
    {
        int rows = T * groups;
        using (Time(new(nameof(TopK), rows, E, K), flops: Area(rows, E), values: Area(rows, E) + Area(rows, K)))
            device.TopK(x, T, groups, E, K, columns);
    }

    /// <inheritdoc/>
    public override void SelectColumns(Floats x, Ints columns, int T, int E, int K, Target y)
    {
        using (Time(new(nameof(SelectColumns), T, E, K), flops: 0, values: 2.0 * T * K + Out(y, Area(T, K))))
            device.SelectColumns(x, columns, T, E, K, y);
    }

    /// <inheritdoc/>
    public override void ScatterColumns(Floats x, Ints columns, int T, int E, int K, Target y)
    {
        using (Time(new(nameof(ScatterColumns), T, E, K), flops: 0, values: 2.0 * T * K + Out(y, Area(T, E))))
            device.ScatterColumns(x, columns, T, E, K, y);
    }

    /// <inheritdoc/>
    public override void Assign(
        Ints experts, int T, int E, int K, int N, Ints offsets, Ints tokens, Ints choices, Ints rowsByToken, Ints tokenOffsets, Floats gates = default, Floats weights = default)
    {
        using (Time(new(nameof(Assign), T, E, K), flops: 0, values: Area(T, K) + 3.0 * N + E + T + gates.Length + weights.Length))
            device.Assign(experts, T, E, K, N, offsets, tokens, choices, rowsByToken, tokenOffsets, gates, weights);
    }

    /// <inheritdoc/>
    public override void RouteForward(Floats logits, bool overAll, int T, int E, int K, Ints experts, Ints offsets, Ints tokens, Ints rowsByToken, Ints tokenOffsets, Floats weights)
    {
        using (Time(new(nameof(RouteForward), T, E, K), flops: Area(T, E) + 4.0 * T * (overAll ? E : K), values: Area(T, E) + 4.0 * T * K + E + T))
            device.RouteForward(logits, overAll, T, E, K, experts, offsets, tokens, rowsByToken, tokenOffsets, weights);
    }

    /// <inheritdoc/>
    public override void RouteBackward(Floats dweights, Floats logits, Floats weights, bool overAll, Ints experts, Ints rowsByToken, int T, int E, int K, Target dlogits)
    {
        using (Time(
            new(nameof(RouteBackward), T, E, K), flops: 4.0 * T * (overAll ? E : K),
            values: 4.0 * T * K + (overAll ? Area(T, E) : 0) + Out(dlogits, Area(T, E))))
            device.RouteBackward(dweights, logits, weights, overAll, experts, rowsByToken, T, E, K, dlogits);
    }

    /// <inheritdoc/>
    public override void Scatter(Floats x, Ints indices, int n, int length, Target y)
    {
        using (Time(new(nameof(Scatter), n), flops: 0, values: 2.0 * n + Out(y, length)))
            device.Scatter(x, indices, n, length, y);
    }

    // ---- Choices --------------------------------------------------------------------------------------------------------------------
    /// <inheritdoc/>
    public override void CountChoices(Ints choices, int groups, int T, int K, int counted, int E, float scale, Target counts)
    {
        using (Time(new(nameof(CountChoices), groups * T, K, E), flops: 0, values: Area(groups * T, counted) + Out(counts, Area(groups, E))))
            device.CountChoices(choices, groups, T, K, counted, E, scale, counts);
    }

    /// <inheritdoc/>
    public override void KeepChoices(Ints choices, Floats keep, int n, Ints kept)
    {
        using (Time(new(nameof(KeepChoices), n), flops: 0, values: 3.0 * n))
            device.KeepChoices(choices, keep, n, kept);
    }

    /// <inheritdoc/>
    public override void LimitCapacity(Ints choices, Floats priority, int T, int E, int K, int capacity, Ints kept)
    {
        using (Time(new(nameof(LimitCapacity), T, E, K), flops: 0, values: (priority.IsNone ? 2 : 3) * Area(T, K)))
            device.LimitCapacity(choices, priority, T, E, K, capacity, kept);
    }

    /// <inheritdoc/>
    public override void ChooseTokens(Floats scores, int T, int E, int groups, bool interleaved, int active, Ints choices)
    {
        using (Time(new(nameof(ChooseTokens), T, E, groups), flops: Area(T, E), values: 2 * Area(T, E)))
            device.ChooseTokens(scores, T, E, groups, interleaved, active, choices);
    }

    /// <inheritdoc/>
    public override void LookUpChoices(Floats table, Ints ids, int T, int V, int K, Ints choices)
    {
        using (Time(new(nameof(LookUpChoices), T, K), flops: 0, values: T + 2.0 * T * K))
            device.LookUpChoices(table, ids, T, V, K, choices);
    }

    /// <inheritdoc/>
    public override void ChooseInGroups(Ints groups, Ints best, int T, int G, int M, int A, int K, Ints choices)
    {
        using (Time(new(nameof(ChooseInGroups), T, G, A * K), flops: 0, values: Area(T, A) + 2.0 * T * A * K))
            device.ChooseInGroups(groups, best, T, G, M, A, K, choices);
    }

    /// <inheritdoc/>
    public override void AssignBalanced(Floats scores, int T, int E, Ints choices)
    {
        using (Time(new(nameof(AssignBalanced), T, E), flops: Area(T, E), values: Area(T, E) + T))
            device.AssignBalanced(scores, T, E, choices);
    }

    /// <inheritdoc/>
    public override void Sinkhorn(Floats logits, int T, int E, Floats plan)
    {
        using (Time(new(nameof(Sinkhorn), T, E), flops: 4 * Area(T, E), values: 2 * Area(T, E)))
            device.Sinkhorn(logits, T, E, plan);
    }

    /// <inheritdoc/>
    public override void StepBias(Floats counts, int E, float rate, Floats bias)
    {
        using (Time(new(nameof(StepBias), E), flops: 3.0 * E, values: 3.0 * E))
            device.StepBias(counts, E, rate, bias);
    }

    // ---- Gates ----------------------------------------------------------------------------------------------------------------------
    /// <inheritdoc/>
    public override void NoisyLogitsForward(Floats clean, Floats spread, Floats noise, float eps, int n, Floats sigma, Floats noisy)
    {
        using (Time(new(nameof(NoisyLogitsForward), n), flops: 4.0 * n, values: 5.0 * n))
            device.NoisyLogitsForward(clean, spread, noise, eps, n, sigma, noisy);
    }

    /// <inheritdoc/>
    public override void NoisyLogitsBackward(Floats dnoisy, Floats dsigma, Floats spread, Floats noise, int n, Target dclean, Target dspread)
    {
        using (Time(new(nameof(NoisyLogitsBackward), n), flops: 4.0 * n, values: dnoisy.Length + dsigma.Length + 2.0 * n + Out(dclean, n) + Out(dspread, n)))
            device.NoisyLogitsBackward(dnoisy, dsigma, spread, noise, n, dclean, dspread);
    }

    /// <inheritdoc/>
    public override void ShareForward(Floats x, float scale, float eps, int N, int C, Floats y)
    {
        using (Time(new(nameof(ShareForward), N, C), flops: 2.0 * N * C, values: 2.0 * N * C))
            device.ShareForward(x, scale, eps, N, C, y);
    }

    /// <inheritdoc/>
    public override void ShareBackward(Floats dy, Floats x, float scale, float eps, int N, int C, Target dx)
    {
        using (Time(new(nameof(ShareBackward), N, C), flops: 4.0 * N * C, values: 2.0 * N * C + Out(dx, Area(N, C))))
            device.ShareBackward(dy, x, scale, eps, N, C, dx);
    }

    // ---- Balance losses -------------------------------------------------------------------------------------------------------------
    /// <inheritdoc/>
    public override void BalanceLossForward(Floats p, Floats shares, Floats mask, float scale, int groups, int N, int E, Floats loss)
    {
        using (Time(new(nameof(BalanceLossForward), groups, N, E), flops: 2.0 * N * E, values: Area(N, E) + Area(groups, E) + mask.Length))
            device.BalanceLossForward(p, shares, mask, scale, groups, N, E, loss);
    }

    /// <inheritdoc/>
    public override void BalanceLossBackward(Floats dloss, Floats shares, Floats mask, float scale, int groups, int N, int E, Target dp)
    {
        using (Time(new(nameof(BalanceLossBackward), groups, N, E), flops: Area(N, E), values: Area(groups, E) + mask.Length + Out(dp, Area(N, E))))
            device.BalanceLossBackward(dloss, shares, mask, scale, groups, N, E, dp);
    }

    /// <inheritdoc/>
    public override void SquaredVariationForward(Floats x, float eps, int n, Floats y)
    {
        using (Time(new(nameof(SquaredVariationForward), n), flops: 4.0 * n, values: n))
            device.SquaredVariationForward(x, eps, n, y);
    }

    /// <inheritdoc/>
    public override void SquaredVariationBackward(Floats dy, Floats x, float eps, int n, Target dx)
    {
        using (Time(new(nameof(SquaredVariationBackward), n), flops: 6.0 * n, values: n + Out(dx, n)))
            device.SquaredVariationBackward(dy, x, eps, n, dx);
    }

    /// <inheritdoc/>
    public override void SmoothLoadForward(Floats clean, Floats noisy, Floats sigma, Ints best, Floats mask, int T, int E, int K, Floats load)
    {
        using (Time(new(nameof(SmoothLoadForward), T, E, K), flops: 4.0 * T * E, values: 2.0 * T * E + T * (K + 3.0) + mask.Length + E))
            device.SmoothLoadForward(clean, noisy, sigma, best, mask, T, E, K, load);
    }

    /// <inheritdoc/>
    public override void SmoothLoadBackward(
        Floats dload, Floats clean, Floats noisy, Floats sigma, Ints best, Floats mask, int T, int E, int K, Target dclean, Target dnoisy, Target dsigma)
    {
        using (Time(
            new(nameof(SmoothLoadBackward), T, E, K), flops: 10.0 * T * E,
            values: 2.0 * T * E + T * (K + 3.0) + mask.Length + E + Out(dclean, Area(T, E)) + Out(dnoisy, Area(T, E)) + Out(dsigma, Area(T, E))))
            device.SmoothLoadBackward(dload, clean, noisy, sigma, best, mask, T, E, K, dclean, dnoisy, dsigma);
    }

    // ---- Dispatch and combine -------------------------------------------------------------------------------------------------------
    /// <inheritdoc/>
    public override void DispatchForward(Floats x, Ints tokens, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Floats y)
    {
        using (Time(new(nameof(DispatchForward), N, C), flops: 0, values: Area(T, C) + N + Area(N, C)))
            device.DispatchForward(x, tokens, tokenOffsets, rowsByToken, N, T, C, y);
    }

    /// <inheritdoc/>
    public override void DispatchBackward(Floats dy, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Target dx)
    {
        using (Time(new(nameof(DispatchBackward), N, C), flops: Area(N, C), values: Area(N, C) + N + T + Out(dx, Area(T, C))))
            device.DispatchBackward(dy, tokenOffsets, rowsByToken, N, T, C, dx);
    }

    /// <inheritdoc/>
    public override void CombineForward(Floats x, Floats w, Ints tokenOffsets, Ints rowsByToken, int N, int T, int C, Floats y)
    {
        using (Time(new(nameof(CombineForward), N, C), flops: 2.0 * N * C, values: Area(N, C) + 2.0 * N + T + Area(T, C)))
            device.CombineForward(x, w, tokenOffsets, rowsByToken, N, T, C, y);
    }

    /// <inheritdoc/>
    public override void CombineBackward(Floats dy, Floats x, Floats w, Ints tokens, int N, int T, int C, Target dx, Target dw)
    {
        using (Time(
            new(nameof(CombineBackward), N, C), flops: 3.0 * N * C,
            values: Area(T, C) + Area(N, C) + 2.0 * N + Out(dx, Area(N, C)) + Out(dw, N)))
            device.CombineBackward(dy, x, w, tokens, N, T, C, dx, dw);
    }
}
