using TinyMoE.Memory;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family Bfloat16.</summary>
internal sealed partial class Bfloat16Cases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 30;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, C, _, _, _, _, _, _, _, _) = s;
        int flat = N * C;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);
        Target Narrow(KernelData d, int n) => adds ? d.Added(Bfloat16sOf(n)) : (Values)d.OutBfloat16s(n);

        yield return Case("RoundToBfloat16", (b, d) => b.RoundToBfloat16(d.In(flat), flat, To(d, flat)));
        yield return Case("PackBfloat16", (b, d) => b.PackBfloat16(d.In(flat), flat, d.OutBfloat16s(flat)));
        yield return Case("Convert", (b, d) => b.Convert(d.In(flat), flat, To(d, flat)));
        yield return Case("Convert to bfloat16", (b, d) => b.Convert(d.In(flat), flat, Narrow(d, flat)));
        yield return Case("Convert of bfloat16", (b, d) => b.Convert(d.In(Bfloat16sOf(flat)), flat, To(d, flat)));
        yield return Case("Convert of bfloat16 to bfloat16", (b, d) => b.Convert(d.In(Bfloat16sOf(flat)), flat, Narrow(d, flat)));
        foreach (KernelCase one in OfValues(s, adds))
            yield return one;
    }
}
