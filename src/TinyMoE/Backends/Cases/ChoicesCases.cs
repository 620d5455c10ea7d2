using TinyMoE.Memory;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family Choices.</summary>
internal sealed class ChoicesCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 180;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, _, V, B, _, _, _, E, K, _) = s;
        int T = N / B, rows = N * K;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        yield return Case("CountChoices",
            (b, d) => b.CountChoices(d.InInts(B * T * K, E, low: -1), B, T, K, K, E, 0.5f, To(d, B * E)));
        yield return Case("KeepChoices", (b, d) => b.KeepChoices(d.InInts(rows, E), d.In(rows), rows, d.OutInts(rows)));
        yield return Case("LimitCapacity",
            (b, d) => b.LimitCapacity(d.InInts(rows, E, low: -1), d.In(rows), N, E, K, rows / (2 * E), d.OutInts(rows)));
        yield return Case("LimitCapacity in order",
            (b, d) => b.LimitCapacity(d.InInts(rows, E, low: -1), default, N, E, K, rows / (2 * E), d.OutInts(rows)));

        foreach (bool interleaved in new[] { false, true })
        {
            yield return Case(interleaved ? "ChooseTokens by position" : "ChooseTokens by sequence",
                (b, d) => b.ChooseTokens(d.In(N * E, -0.2f, 1), N, E, interleaved ? T : B, interleaved, K, d.OutInts(N * E)));
        }

        yield return Case("LookUpChoices",
            (b, d) => b.LookUpChoices(d.In(WholeNumbers(V * K, E)), d.InInts(N, V), N, V, K, d.OutInts(rows)));
        yield return Case("ChooseInGroups",
            (b, d) => b.ChooseInGroups(d.InInts(N * 2, 4), d.InInts(N * 4 * K, E), N, 4, E, 2, K, d.OutInts(N * 2 * K)));
    }
}
