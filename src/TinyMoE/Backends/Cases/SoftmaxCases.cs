using TinyMoE.Memory;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family Softmax.</summary>
internal sealed class SoftmaxCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 90;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, C, V, _, _, _, _, E, _, _) = s;
        int flat = N * C;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        yield return Case("SoftmaxForward", (b, d) => b.SoftmaxForward(d.In(flat, -4, 4), N, C, d.Out(flat)));
        yield return Case("SoftmaxBackward", (b, d) => b.SoftmaxBackward(d.In(flat), d.In(flat, 0, 0.1f), N, C, To(d, flat)));
        yield return Case("LogSumExpForward", (b, d) => b.LogSumExpForward(d.In(flat, -4, 4), N, C, d.Out(N)));
        yield return Case("LogSumExpBackward",
            (b, d) => b.LogSumExpBackward(d.In(N), d.In(flat), d.In(N, 4, 6), N, C, To(d, flat)));
        yield return Case("CrossEntropyForward",
            (b, d) => b.CrossEntropyForward(d.In(N * V, -4, 4), d.InInts(N, V, low: -1), N, V, d.Out(1), d.Out(N)));
        yield return Case("CrossEntropyBackward", (b, d) =>
            b.CrossEntropyBackward(d.In(1), d.In(N * V, -4, 4), d.InInts(N, V, low: -1), d.In(N, 6, 8), N, V, To(d, N * V)));

        foreach (bool masked in new[] { false, true })
        {
            string of = masked ? " of masked rows" : "";
            float scale = 1f / Math.Max(1, N);
            yield return Case($"ZLossForward{of}",
                (b, d) => b.ZLossForward(d.In(N * E, -4, 4), Mask(d, N, masked), scale, N, E, d.Out(1), d.Out(N)));
            yield return Case($"ZLossBackward{of}", (b, d) =>
                b.ZLossBackward(d.In(1), d.In(N * E, -4, 4), Mask(d, N, masked), d.In(N, 4, 6), scale, N, E, To(d, N * E)));
        }
    }
}
