using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    private int plannedRows; // of the plan that was made last

    /// <inheritdoc/>
    public override void TopK(Floats x, int T, int groups, int E, int K, Ints columns)
    {
        int rows = T * groups;
        using (Time(new(nameof(TopK), rows, E, K), flops: Area(rows, E), values: Area(rows, E) + Area(rows, K)))
            device?.TopK(x, T, groups, E, K, columns);
    }

    /// <inheritdoc/>
    public override void SelectColumns(Floats x, Ints columns, int T, int E, int K, Target y)
    {
        using (Time(new(nameof(SelectColumns), T, E, K), flops: 0, values: 2.0 * T * K + Out(y, Area(T, K))))
            device?.SelectColumns(x, columns, T, E, K, y);
    }

    /// <inheritdoc/>
    public override void ScatterColumns(Floats x, Ints columns, int T, int E, int K, Target y)
    {
        using (Time(new(nameof(ScatterColumns), T, E, K), flops: 0, values: 2.0 * T * K + Out(y, Area(T, E))))
            device?.ScatterColumns(x, columns, T, E, K, y);
    }

    /// <inheritdoc/>
    public override void Assign(
        Ints experts, int T, int E, int K, int N, Ints offsets, Ints tokens, Ints choices, Ints rowsByToken, Ints tokenOffsets,
            Floats gates = default, Floats weights = default)
    {
        plannedRows = N;
        using (Time(new(nameof(Assign), T, E, K), flops: 0, values: Area(T, K) + 3.0 * N + E + T + gates.Length + weights.Length))
            device?.Assign(experts, T, E, K, N, offsets, tokens, choices, rowsByToken, tokenOffsets, gates, weights);
    }

    /// <inheritdoc/>
    public override void RouteForward(
        Floats logits, bool overAll, int T, int E, int K, Ints experts, Ints offsets, Ints tokens, Ints rowsByToken, Ints tokenOffsets,
        Floats weights)
    {
        plannedRows = T * K;
        using (Time(new(nameof(RouteForward), T, E, K), flops: Area(T, E) + 4.0 * T * (overAll ? E : K),
            values: Area(T, E) + 4.0 * T * K + E + T))
            device?.RouteForward(logits, overAll, T, E, K, experts, offsets, tokens, rowsByToken, tokenOffsets, weights);
    }

    /// <inheritdoc/>
    public override void RouteBackward(
        Floats dweights, Floats logits, Floats weights, bool overAll, Ints experts, Ints rowsByToken, int T, int E, int K, Target dlogits)
    {
        using (Time(
            new(nameof(RouteBackward), T, E, K), flops: 4.0 * T * (overAll ? E : K),
            values: 4.0 * T * K + (overAll ? Area(T, E) : 0) + Out(dlogits, Area(T, E))))
            device?.RouteBackward(dweights, logits, weights, overAll, experts, rowsByToken, T, E, K, dlogits);
    }

    /// <inheritdoc/>
    public override void Scatter(Floats x, Ints indices, int n, int length, Target y)
    {
        using (Time(new(nameof(Scatter), n), flops: 0, values: 2.0 * n + Out(y, length)))
            device?.Scatter(x, indices, n, length, y);
    }
}
