using TinyMoE.Memory;

namespace TinyMoE.Backends.Cases;

/// <summary>The cases of the family Dispatch.</summary>
internal sealed class DispatchCases : KernelCases
{
    /// <inheritdoc/>
    public override int Order => 200;

    /// <inheritdoc/>
    public override IEnumerable<KernelCase> Of(KernelSizes s, bool adds)
    {
        var (N, C, _, _, _, _, _, E, K, _) = s;
        int flat = N * C, rows = N * K;
        Target To(KernelData d, int n) => adds ? d.Added(n) : d.Out(n);

        yield return Case("DispatchForward", (b, d) =>
        {
            var plan = Plan(b, d, N, E, K);
            b.DispatchForward(d.In(flat), plan.Tokens, plan.TokenOffsets, plan.RowsByToken, rows, N, C, d.Out(rows * C));
        }, tolerance: 0);
        yield return Case("DispatchBackward", (b, d) =>
        {
            var plan = Plan(b, d, N, E, K);
            b.DispatchBackward(d.In(rows * C), plan.TokenOffsets, plan.RowsByToken, rows, N, C, To(d, flat));
        });
        yield return Case("CombineForward", (b, d) =>
        {
            var plan = Plan(b, d, N, E, K);
            b.CombineForward(d.In(rows * C), d.In(rows), plan.TokenOffsets, plan.RowsByToken, rows, N, C, d.Out(flat));
        });
        yield return Case("CombineBackward", (b, d) =>
            b.CombineBackward(d.In(flat), d.In(rows * C), d.In(rows), Plan(b, d, N, E, K).Tokens, rows, N, C, To(d, rows * C),
                To(d, rows)));
    }

    internal static (Ints Tokens, Ints RowsByToken, Ints TokenOffsets) Plan(Backend b, KernelData d, int N, int E, int K)
    {
        (Ints tokens, Ints rowsByToken, Ints tokenOffsets) = (d.Rent<int>(N * K), d.Rent<int>(N * K), d.Rent<int>(N + 1));
        b.Assign(d.InInts(N * K, E, low: -1), N, E, K, N * K, d.Rent<int>(E + 1), tokens, d.Rent<int>(N * K), rowsByToken, tokenOffsets);
        return (tokens, rowsByToken, tokenOffsets);
    }
}
