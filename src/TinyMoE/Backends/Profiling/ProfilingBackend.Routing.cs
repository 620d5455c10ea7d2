using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    private int plannedRows; // of the plan that was made last

    /// <inheritdoc/>
    public override void TopK(Floats x, int N, int groups, int E, int K, Ints columns)
    {
        int rows = N * groups;
        using (Time(new(nameof(TopK), rows, E, K), flops: Area(rows, E), values: Area(rows, E) + Area(rows, K)))
            device?.TopK(x, N, groups, E, K, columns);
    }

    /// <inheritdoc/>
    public override void SelectColumns(Floats x, Ints columns, int N, int E, int K, Target y)
    {
        using (Time(new(nameof(SelectColumns), N, E, K), flops: 0, values: 2.0 * N * K + Out(y, Area(N, K))))
            device?.SelectColumns(x, columns, N, E, K, y);
    }

    /// <inheritdoc/>
    public override void ScatterColumns(Floats x, Ints columns, int N, int E, int K, Target y)
    {
        using (Time(new(nameof(ScatterColumns), N, E, K), flops: 0, values: 2.0 * N * K + Out(y, Area(N, E))))
            device?.ScatterColumns(x, columns, N, E, K, y);
    }

    /// <inheritdoc/>
    public override void Assign(
        Ints experts, int N, int E, int K, int rows, Ints offsets, Ints tokens, Ints choices, Ints rowsByToken, Ints tokenOffsets,
            Floats gates = default, Floats rowGates = default)
    {
        plannedRows = rows;
        using (Time(new(nameof(Assign), N, E, K), flops: 0, values: Area(N, K) + 3.0 * rows + E + N + gates.Length + rowGates.Length))
            device?.Assign(experts, N, E, K, rows, offsets, tokens, choices, rowsByToken, tokenOffsets, gates, rowGates);
    }

    /// <inheritdoc/>
    public override void RouteForward(
        Floats logits, bool overAll, int N, int E, int K, Ints experts, Ints offsets, Ints tokens, Ints rowsByToken, Ints tokenOffsets,
        Floats rowGates)
    {
        plannedRows = N * K;
        using (Time(new(nameof(RouteForward), N, E, K), flops: Area(N, E) + 4.0 * N * (overAll ? E : K),
            values: Area(N, E) + 4.0 * N * K + E + N))
            device?.RouteForward(logits, overAll, N, E, K, experts, offsets, tokens, rowsByToken, tokenOffsets, rowGates);
    }

    /// <inheritdoc/>
    public override void RouteBackward(
        Floats drowGates, Floats logits, Floats rowGates, bool overAll, Ints experts, Ints rowsByToken, int N, int E, int K, Target dlogits)
    {
        using (Time(
            new(nameof(RouteBackward), N, E, K), flops: 4.0 * N * (overAll ? E : K),
            values: 4.0 * N * K + (overAll ? Area(N, E) : 0) + Out(dlogits, Area(N, E))))
            device?.RouteBackward(drowGates, logits, rowGates, overAll, experts, rowsByToken, N, E, K, dlogits);
    }

    /// <inheritdoc/>
    public override void Scatter(Floats x, Ints indices, int n, int length, Target y)
    {
        using (Time(new(nameof(Scatter), n), flops: 0, values: 2.0 * n + Out(y, length)))
            device?.Scatter(x, indices, n, length, y);
    }
}
