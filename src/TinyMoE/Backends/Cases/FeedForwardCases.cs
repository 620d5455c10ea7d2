using TinyMoE.Memory;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family FeedForward.</summary>
internal sealed class FeedForwardCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 120;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, C, _, _, _, _, _, _, _, _) = s;
        int flat = N * C;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        yield return Case("SwiGluForward", (b, d) => b.SwiGluForward(d.In(flat, -3, 3), d.In(flat), flat, d.Out(flat)));
        yield return Case("SwiGluBackward",
            (b, d) => b.SwiGluBackward(d.In(flat), d.In(flat, -3, 3), d.In(flat), flat, To(d, flat), To(d, flat)));
        yield return Case("ClampedSwiGluForward",
            (b, d) => b.ClampedSwiGluForward(d.In(flat, -3, 3), d.In(flat, -3, 3), 2f, 1.702f, flat, d.Out(flat)));
        yield return Case("ClampedSwiGluBackward",
            (b, d) => b.ClampedSwiGluBackward(
                d.In(flat), d.In(flat, -3, 3), d.In(flat, -3, 3), 2f, 1.702f, flat, To(d, flat), To(d, flat)));
    }
}
