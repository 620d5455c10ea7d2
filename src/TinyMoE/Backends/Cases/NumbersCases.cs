using TinyMoE.Memory;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family Numbers.</summary>
internal sealed class NumbersCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 50;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        float[] weights = [.. Enumerable.Range(0, 18).Select(i => 0.25f * (i - 7))]; // more numbers than one launch takes
        yield return Case("SumNumbers", (b, d) => b.SumNumbers([.. weights.Select(_ => d.In(1))], weights, To(d, 1)));
        yield return Case("ScaleNumbers", (b, d) =>
            b.ScaleNumbers([.. weights.Select(_ => d.In(1))], weights, [.. weights.Select((_, i) => i == 2 ? Target.None : To(d, 1))]));
    }
}
