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
        yield return Case("RepeatRows", (b, d) =>
        {
            Floats x = d.In(N * C);
            Target y = To(d, N * 3 * (C + 5));
            if (!adds) // the other columns stay as they are
                b.Fill(y.View, 0.5f);
            b.RepeatRows(x, N, C, 3, C + 5, 2, y);
        });
        yield return Case("SumRepeatedRows", (b, d) => b.SumRepeatedRows(d.In(N * 3 * (C + 5)), C + 5, 2, N, C, 3, To(d, flat)));
    }
}
