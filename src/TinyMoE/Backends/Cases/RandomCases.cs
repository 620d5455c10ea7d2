using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family Random.</summary>
internal sealed class RandomCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 160;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, C, _, _, _, _, _, _, _, _) = s;
        int flat = N * C;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        yield return Case("FillUniform", (b, d) => b.FillUniform(Key(RandomPurpose.Other), flat, d.Out(flat)), tolerance: 0);
        yield return Case("FillUniform of a step on the device",
            (b, d) => b.FillUniform(OnDevice(d, RandomPurpose.Other), flat, d.Out(flat)), tolerance: 0);
        yield return Case("FillNormal", (b, d) => b.FillNormal(Key(RandomPurpose.Other), flat, d.Out(flat)));
        yield return Case("Jitter", (b, d) => b.Jitter(d.In(flat), 0.1f, Key(RandomPurpose.RouterJitter), flat, To(d, flat)));
        yield return Case("Dropout",
            (b, d) => b.Dropout(d.In(flat), new Dropout(0.3f, Key(RandomPurpose.FeedForwardDropout)), flat, To(d, flat)));
        yield return Case("Dropout of a step on the device",
            (b, d) => b.Dropout(d.In(flat), new Dropout(0.3f, OnDevice(d, RandomPurpose.FeedForwardDropout)), flat, To(d, flat)));
    }

    private static RandomKey OnDevice(KernelData d, RandomPurpose purpose) => Key(purpose) with { StepPlace = d.In([7]) };
}
