namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family Optim.</summary>
internal sealed class OptimCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 210;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, C, _, _, _, _, _, _, _, _) = s;
        int flat = N * C;

        yield return Case("Norm", (b, d) => b.Norm(d.In(flat), flat, d.Out(1)));

        foreach (bool copies in new[] { false, true })
        {
            yield return Case(copies ? "AdamW with a bfloat16 copy" : "AdamW", (b, d) => b.AdamW(
                d.In(flat), d.In([2f]), new AdamWStep(3, 1e-3f, 0.9f, 0.95f, 1e-8f, 0.1f, Clip: 1f), flat,
                d.Added(flat).View, d.Added(flat).View, Positive(d, flat), copies ? d.Rent<ushort>(flat) : default));
        }

        yield return Case("AdamW with numbers of a step on the device", (b, d) => b.AdamW(
            d.In(flat), d.In([2f]), new AdamWStep(3, 1e-3f, 0.9f, 0.95f, 1e-8f, 0.1f, Clip: 1f) { FactorsPlace = d.In([0.1f, 2f, 0.9f]) },
            flat, d.Added(flat).View, d.Added(flat).View, Positive(d, flat)));
    }

    private static Floats Positive(KernelData d, int n) => d.In(n, 0.001f, 1f);
}
