using TinyMoE.Memory;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family Reduce.</summary>
internal sealed class ReduceCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 40;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, C, _, _, _, _, _, _, _, _) = s;
        int flat = N * C;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        yield return Case("SumRows", (b, d) => b.SumRows(d.In(flat), 0.5f, N, C, To(d, C)));
        yield return Case("SumColumns", (b, d) => b.SumColumns(d.In(flat), 0.5f, N, C, To(d, N)));
        yield return Case("BroadcastRows", (b, d) => b.BroadcastRows(d.In(C), 0.5f, N, C, To(d, flat)));
        yield return Case("BroadcastColumns", (b, d) => b.BroadcastColumns(d.In(N), 0.5f, N, C, To(d, flat)));
    }
}
