using TinyMoE.Memory;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family Gates.</summary>
internal sealed class GatesCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 110;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, C, _, _, _, _, _, E, _, _) = s;
        int flat = N * C;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        yield return Case("NoisyLogitsForward",
            (b, d) => b.NoisyLogitsForward(d.In(N * E), d.In(N * E, -3, 3), d.In(N * E), 0.01f, N * E, d.Out(N * E), d.Out(N * E)));
        yield return Case("NoisyLogitsBackward",
            (b, d) => b.NoisyLogitsBackward(d.In(N * E), d.In(N * E), d.In(N * E, -3, 3), d.In(N * E), N * E, To(d, N * E), To(d, N * E)));
        yield return Case("NoisyLogitsBackward of sigma alone",
            (b, d) => b.NoisyLogitsBackward(default, d.In(N * E), d.In(N * E, -3, 3), d.In(N * E), N * E, Target.None, To(d, N * E)));
        yield return Case("ShareForward", (b, d) => b.ShareForward(d.In(flat, 0, 1), 2.5f, 1e-3f, N, C, d.Out(flat)));
        yield return Case("ShareBackward",
            (b, d) => b.ShareBackward(d.In(flat), d.In(flat, 0.1f, 1), 2.5f, 1e-3f, N, C, To(d, flat)));
    }
}
