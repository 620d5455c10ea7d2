using TinyMoE.Memory;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family Routing.</summary>
internal sealed class RoutingCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 170;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, _, _, _, _, _, _, E, K, _) = s;
        int rows = N * K;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        yield return Case("TopK", (b, d) => b.TopK(d.In(N * E), N, 1, E, K, d.OutInts(N * K)));
        yield return Case("TopK of two groups", (b, d) => b.TopK(d.In(N * 2 * E), N, 2, E, K, d.OutInts(N * 2 * K)));
        yield return Case("SelectColumns",
            (b, d) => b.SelectColumns(d.In(N * E), d.InInts(N * K, E, low: -1), N, E, K, To(d, N * K)));
        yield return Case("ScatterColumns",
            (b, d) => b.ScatterColumns(d.In(N * K), d.InInts(N * K, E, low: -1), N, E, K, To(d, N * E)));
        yield return Case("Assign", (b, d) => b.Assign(
            d.InInts(rows, E, low: -1), N, E, K, rows, d.OutInts(E + 1), d.OutInts(rows), d.OutInts(rows), d.Rent<int>(rows),
                d.OutInts(N + 1)));
        yield return Case("Assign with gates", (b, d) => b.Assign(
            d.InInts(rows, E, low: -1), N, E, K, rows, d.OutInts(E + 1), d.OutInts(rows), d.OutInts(rows), d.Rent<int>(rows),
                d.OutInts(N + 1), d.In(rows), d.Out(rows)), tolerance: 0);

        foreach (bool overAll in new[] { false, true })
        {
            string over = overAll ? "all" : "the chosen";
            yield return Case($"RouteForward over {over}", (b, d) => b.RouteForward(
                d.In(N * E, -3, 3), overAll, N, E, K, d.OutInts(rows), d.OutInts(E + 1), d.OutInts(rows), d.OutInts(rows), d.OutInts(N + 1),
                d.Out(rows)));
            yield return Case($"RouteBackward over {over}", (b, d) =>
            {
                Floats logits = d.In(N * E, -3, 3), weights = d.Out(rows);
                (Ints experts, Ints rowsByToken) = (d.Rent<int>(rows), d.Rent<int>(rows));
                b.RouteForward(logits, overAll, N, E, K, experts, d.Rent<int>(E + 1), d.Rent<int>(rows), rowsByToken, d.Rent<int>(N + 1),
                    weights);
                b.RouteBackward(d.In(rows), logits, weights, overAll, experts, rowsByToken, N, E, K, To(d, N * E));
            });
        }

        yield return Case("Scatter", (b, d) => b.Scatter(d.In(rows), d.In(Spread(rows)), rows, 2 * rows, To(d, 2 * rows)));
    }

    /// <summary>n places of 2n, all different, every fifth −1.</summary>
    private static int[] Spread(int n) => [.. Enumerable.Range(0, n).Select(i => i % 5 == 4 ? -1 : 2 * (n - 1 - i) + i % 2)];
}
