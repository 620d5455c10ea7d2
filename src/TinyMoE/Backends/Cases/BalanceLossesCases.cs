using TinyMoE.Memory;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family BalanceLosses.</summary>
internal sealed class BalanceLossesCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 100;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, C, _, B, _, _, _, E, _, _) = s;
        int T = N / B;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        foreach (bool masked in new[] { false, true })
        {
            string of = masked ? " of masked rows" : "";
            float scale = 1f / Math.Max(1, N);
            foreach (int groups in new[] { 1, B })
            {
                string by = groups == 1 ? of : $" by sequences{of}";
                yield return Case($"BalanceLossForward{by}", (b, d) => b.BalanceLossForward(
                    d.In(B * T * E, 0, 1), d.In(groups * E), Mask(d, N, masked), scale, groups, B * T, E, d.Out(1)));
                yield return Case($"BalanceLossBackward{by}", (b, d) => b.BalanceLossBackward(
                    d.In(1), d.In(groups * E), Mask(d, N, masked), 0.5f, groups, B * T, E, To(d, B * T * E)));
            }

            int few = Math.Min(2, E - 1);                        // chosen experts, one left out at least
            if (few == 0)
                continue;
            yield return Case($"SmoothLoadForward{of}", (b, d) => b.SmoothLoadForward(
                d.In(N * E), Best(b, d, N, E, few, out Ints best), d.In(N * E, 0.5f, 1), best, Mask(d, N, masked), N, E, few, d.Out(E)),
                2e-5);
            yield return Case($"SmoothLoadBackward{of}", (b, d) => b.SmoothLoadBackward(
                d.In(E), d.In(N * E), Best(b, d, N, E, few, out Ints best), d.In(N * E, 0.5f, 1), best, Mask(d, N, masked), N, E, few,
                To(d, N * E), To(d, N * E), To(d, N * E)), 2e-5);
        }

        yield return Case("SquaredVariationForward",
            (b, d) => b.SquaredVariationForward(d.In(E, 0, 1), 1e-10f, E, d.Out(1)));
        yield return Case("SquaredVariationBackward",
            (b, d) => b.SquaredVariationBackward(d.In(1), d.In(E, 0.5f, 1), 1e-10f, E, To(d, E)));
        yield return Case("SquaredVariationForward of many",
            (b, d) => b.SquaredVariationForward(d.In(8 * C, 0, 1), 1e-10f, 8 * C, d.Out(1)));
        yield return Case("SquaredVariationBackward of many",
            (b, d) => b.SquaredVariationBackward(d.In(1), d.In(8 * C, 0, 1), 1e-10f, 8 * C, To(d, 8 * C)));
    }

    /// <summary>Random logits (N, E) and the columns (N, K+1) of the largest of each row.</summary>
    private static Floats Best(Backend b, KernelData d, int N, int E, int K, out Ints best)
    {
        Floats logits = d.In(N * E);
        best = d.Rent<int>(N * (K + 1));
        b.TopK(logits, N, 1, E, K + 1, best);
        return logits;
    }
}
