using TinyMoE.Memory;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family Transfer.</summary>
internal sealed class TransferCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 10;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, C, _, _, _, _, _, _, _, _) = s;
        int flat = N * C;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        yield return Case("Fill", (b, d) => b.Fill(d.Out(flat), 1.5f));
        yield return Case("CopyColumns", (b, d) => b.CopyColumns(d.In(N * (C + 3)), C + 3, 2, N, C, C, 0, To(d, flat)));
    }
}
