namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family Balancing.</summary>
internal sealed class BalancingCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 190;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, _, _, _, _, _, _, E, _, _) = s;

        yield return Case("AssignBalanced", (b, d) => b.AssignBalanced(d.In(N * E, -2, 2), N, E, d.OutInts(N)));
        yield return Case("Sinkhorn", (b, d) => b.Sinkhorn(d.In(N * E, -2, 2), N, E, d.Out(N * E)));
        yield return Case("StepBias", (b, d) => b.StepBias(d.In(WholeNumbers(E, 20)), E, 0.001f, d.Added(E).View),
            tolerance: 0);
    }
}
