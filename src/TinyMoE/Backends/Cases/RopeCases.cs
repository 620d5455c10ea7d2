using TinyMoE.Memory;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family Rope.</summary>
internal sealed class RopeCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 130;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, _, _, B, H, KvHeads, D, _, _, _) = s;
        int T = N / B;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        foreach (bool keys in new[] { true, false })
        {
            int pairs = D / 2, q = N * H * 2 * pairs, k = keys ? N * KvHeads * 2 * pairs : 0;
            yield return Case(keys ? "Rope" : "Rope of queries alone", (b, d) => b.Rope(
                d.In(q), keys ? d.In(k) : default, d.In((T + 2) * pairs), d.In((T + 2) * pairs),
                new RopeSizes(B, T, H, KvHeads, 2 * pairs, 2 * pairs, Start: 2), inverse: !keys, To(d, q), keys ? To(d, k) : Target.None));
        }

        foreach (bool interleaved in new[] { true, false })
        {
            int turned = D / 4 * 2, size = D + 1, q = N * H * size, k = N * KvHeads * size;
            yield return Case($"Rope of {(interleaved ? "neighbours" : "pairs")} in part of a head", (b, d) => b.Rope(
                d.In(q), d.In(k), d.In((T + 2) * turned / 2), d.In((T + 2) * turned / 2),
                new RopeSizes(B, T, H, KvHeads, size, turned, Start: 2, interleaved), inverse: interleaved, To(d, q), To(d, k)));
        }

        foreach (bool interleaved in new[] { true, false })
        {
            int turned = D / 4 * 2, stride = (H + 2 * KvHeads) * D + 1, all = N * stride;
            RopeSizes sizes = new(B, T, H, KvHeads, D, turned, Start: 2, interleaved) { Stride = stride };
            yield return Case($"Rope of {(interleaved ? "neighbours" : "pairs")} in columns of a matrix", (b, d) =>
            {
                Floats x = adds ? d.In(all) : d.Added(all).View, y = adds ? d.Added(all).View : x; // in place where it is stored
                Floats Keys(Floats of) => of.Slice(H * D, all - stride + KvHeads * D);
                b.Rope(
                    x, Keys(x), d.In((T + 2) * turned / 2), d.In((T + 2) * turned / 2), sizes, inverse: interleaved, new Target(y, adds),
                    new Target(Keys(y), adds));
            });
        }
    }
}
