using TinyMoE.Backends.Cases;
using TinyMoE.Cuda;
using TinyMoE.Memory;

namespace TinyMoE.Tests.Cuda;

/// <summary>
/// What the costs of our own products of experts are measured at: small tiles, large ones (where there are enough of them), and gradients
/// of experts with more rows than a piece.
/// </summary>
internal static class OwnGroupedCases
{
    private static readonly KernelSizes Typical = KernelSizes.Typical;

    /// <summary>Products on a backend that has these tensor cores.</summary>
    public static IEnumerable<KernelCase> Of(TensorCores kind)
    {
        (string Name, KernelSizes Sizes, string? Product)[] variants =
        [
            ("", Typical, null),
            (", many rows", Typical with { N = 1024, E = 4 }, null),
            (", large tiles", Typical with { N = 2048, C = 16, F = 2176 }, "GroupedMatMul"),
            (", large tiles", Typical with { N = 2048, C = 2176, F = 16 }, "GroupedMatMulBackwardInput"),
            (", large tiles", Typical with { N = 64, C = 768, F = 768 }, "GroupedMatMulBackwardWeight"),
        ];
        return
            from variant in variants
            from adds in new[] { false, true }
            from c in kind == TensorCores.Bfloat16 ? OfBfloat16(variant.Sizes, adds) : OfFloat32(variant.Sizes, adds)
            where variant.Product is null || (c.Name == variant.Product && !adds)
            select c with { Name = $"{c.Name}{(adds ? ", added" : "")}, own{(kind == TensorCores.Tf32 ? " in TF32" : "")}{variant.Name}" };
    }

    private static IEnumerable<KernelCase> OfFloat32(KernelSizes sizes, bool adds) =>
        KernelCaseList.Of(sizes, adds).Where(c => c.Family == "Grouped" && c.Name.Contains("MatMul", StringComparison.Ordinal));

    /// <summary>Of weights in bfloat16, and rows in float32 or in bfloat16 as well.</summary>
    private static IEnumerable<KernelCase> OfBfloat16(KernelSizes s, bool adds)
    {
        (int N, int C, int E, int F) = (s.N, s.C, s.E, s.F);
        int[] offsets = [.. Enumerable.Range(0, E + 1).Select(e => (int)((long)N * e * e / (E * E)))];
        int[] tokens = [.. Enumerable.Range(0, N).Select(n => n * 7919 % (N / 2))]; // each has two rows
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);
        Target ToNarrow(KernelData d, int n) => new(d.In(Numbers(n)), adds);
        ushort[] Numbers(int n) => [.. Enumerable.Range(0, n).Select(i => (ushort)(0x3E80 + (i % 128)))];

        yield return new KernelCase("Grouped", "GroupedMatMul", (b, d) =>
        {
            b.GroupedMatMul(d.In(N * C), d.In(Numbers(E * F * C)), d.In(offsets), E, N, C, F, To(d, N * F));
            b.GroupedMatMul(d.In(Numbers(N * C)), d.In(Numbers(E * F * C)), d.In(offsets), E, N, C, F, ToNarrow(d, N * F));
        });
        yield return new KernelCase("Grouped", "GatheredMatMul", (b, d) =>
        {
            b.GatheredMatMul(
                d.In(N / 2 * C), d.In(tokens), d.In(Numbers(E * F * C)), d.In(offsets), E, N, N / 2, C, F, To(d, N * F));
            b.GatheredMatMul(
                d.In(Numbers(N / 2 * C)), d.In(tokens), d.In(Numbers(E * F * C)), d.In(offsets), E, N, N / 2, C, F, ToNarrow(d, N * F));
        });
        yield return new KernelCase("Grouped", "GatheredMatMulBackwardWeight", (b, d) => b.GatheredMatMulBackwardWeight(
            d.In(Numbers(N * F)), d.In(Numbers(N / 2 * C)), d.In(tokens), d.In(offsets), E, N, N / 2, C, F, To(d, E * F * C)));
        yield return new KernelCase("Grouped", "GroupedMatMulBackwardInput", (b, d) =>
        {
            b.GroupedMatMulBackwardInput(d.In(N * F), d.In(Numbers(E * F * C)), d.In(offsets), E, N, C, F, To(d, N * C));
            b.GroupedMatMulBackwardInput(d.In(Numbers(N * F)), d.In(Numbers(E * F * C)), d.In(offsets), E, N, C, F, ToNarrow(d, N * C));
        });
        yield return new KernelCase("Grouped", "GroupedMatMulBackwardWeight",
            (b, d) => b.GroupedMatMulBackwardWeight(
                d.In(Numbers(N * F)), d.In(Numbers(N * C)), d.In(offsets), E, N, C, F, To(d, E * F * C)));
    }
}
