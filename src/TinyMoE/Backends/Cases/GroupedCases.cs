using TinyMoE.Memory;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family Grouped.</summary>
internal sealed class GroupedCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 70;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, C, _, _, _, _, _, E, K, F) = s;
        int flat = N * C, rows = N * K;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        yield return Case("GroupedMatMul",
            (b, d) => b.GroupedMatMul(d.In(flat), d.In(E * F * C), Offsets(d, N, E), E, N, C, F, To(d, N * F)));
        yield return Case("GroupedMatMul with a gate", (b, d) => b.GroupedMatMul(
            d.In(flat), d.In(E * F * C), Offsets(d, N, E), E, N, C, F, d.Out(N * F),
            new Epilogue { Bias = d.In(E * F), Gate = d.In(N * F), Activated = d.Out(N * F), Precision = ElementType.Float32 }));
        yield return Case("GroupedMatMul of bfloat16 weights",
            (b, d) => b.GroupedMatMul(d.In(flat), d.In(Bfloat16sOf(E * F * C)), Offsets(d, N, E), E, N, C, F, To(d, N * F)));
        yield return Case("GroupedMatMul of float16 weights",
            (b, d) => b.GroupedMatMul(d.In(flat), Float16sOf(d, E * F * C), Offsets(d, N, E), E, N, C, F, To(d, N * F)));
        yield return Case("GroupedMatMul of few rows and bfloat16 weights", (b, d) => b.GroupedMatMul(
            d.In(9 * C), d.In(Bfloat16sOf(E * F * C)), Offsets(d, 9, E), E, 9, C, F, d.Out(9 * F),
            new Epilogue { Bias = d.In(E * F), Gate = d.In(9 * F), Activated = d.Out(9 * F) }));
        yield return Case("GroupedMatMul of few rows and float16 weights", (b, d) => b.GroupedMatMul(
            d.In(9 * C), Float16sOf(d, E * F * C), Offsets(d, 9, E), E, 9, C, F, To(d, 9 * F)));
        yield return Case("GroupedMatMulBackwardInput",
            (b, d) => b.GroupedMatMulBackwardInput(d.In(N * F), d.In(E * F * C), Offsets(d, N, E), E, N, C, F, To(d, flat)));
        yield return Case("GroupedMatMulBackwardWeight",
            (b, d) => b.GroupedMatMulBackwardWeight(d.In(N * F), d.In(flat), Offsets(d, N, E), E, N, C, F, To(d, E * F * C)), 5e-5);
        yield return Case("GatheredMatMul", (b, d) => b.GatheredMatMul(
            d.In(flat), Tokens(d, rows, N), d.In(E * F * C), Offsets(d, rows, E), E, rows, N, C, F, To(d, rows * F)));
        yield return Case("GatheredMatMul with a gate", (b, d) => b.GatheredMatMul(
            d.In(flat), Tokens(d, rows, N), d.In(E * F * C), Offsets(d, rows, E), E, rows, N, C, F, d.Out(rows * F),
            new Epilogue { Bias = d.In(E * F), Gate = d.In(rows * F), Activated = d.Out(rows * F), Precision = ElementType.Float32 }));
        yield return Case("GatheredMatMul of bfloat16 weights", (b, d) => b.GatheredMatMul(
            d.In(flat), Tokens(d, rows, N), d.In(Bfloat16sOf(E * F * C)), Offsets(d, rows, E), E, rows, N, C, F, To(d, rows * F)));
        yield return Case("GatheredMatMul of few rows and float16 weights", (b, d) => b.GatheredMatMul(
            d.In(3 * C), Tokens(d, 9, 3), Float16sOf(d, E * F * C), Offsets(d, 9, E), E, 9, 3, C, F, To(d, 9 * F)));
        yield return Case("GatheredMatMulBackwardWeight", (b, d) => b.GatheredMatMulBackwardWeight(
            d.In(rows * F), d.In(flat), Tokens(d, rows, N), Offsets(d, rows, E), E, rows, N, C, F, To(d, E * F * C)), 5e-5);
        yield return Case("GroupedSum", (b, d) => b.GroupedSum(d.In(flat), Offsets(d, N, E), E, N, C, To(d, E * C)));
        yield return Case("GroupedBroadcast", (b, d) => b.GroupedBroadcast(d.In(E * C), Offsets(d, N, E), E, N, C, To(d, flat)));
    }

    /// <summary>The token of each of these rows, of <see cref="Offsets"/>: every token has some, the last rows have none.</summary>
    internal static Ints Tokens(KernelData d, int rows, int N)
    {
        int kept = Math.Max(0, rows - 3);
        return d.In([.. Enumerable.Range(0, rows).Select(r => r < kept ? (int)((long)r * 7919 % N) : -1)]);
    }

    /// <summary>Offsets of E experts over N rows, of uneven shares, one expert without rows, the last rows unassigned.</summary>
    internal static Ints Offsets(KernelData d, int N, int E)
    {
        int[] offsets = new int[E + 1];
        for (int e = 1; e <= E; e++)
            offsets[e] = e == 2 ? offsets[1] : (int)((long)Math.Max(0, N - 3) * e * e / (E * E));
        return d.In(offsets);
    }
}
