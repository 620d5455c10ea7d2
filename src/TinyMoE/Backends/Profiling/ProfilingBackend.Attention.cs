using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void AttentionForward(
        Values q, Values k, Values v, in AttentionSizes sizes, in Dropout dropout, Values y, Floats logSumExp)
    {
        using (Time(
            new(nameof(AttentionForward), sizes.B, sizes.T, sizes.H, sizes.D), flops: 2.0 * Pairs(sizes) * (sizes.D + sizes.ValueSize),
            values: In(q, Queries(sizes)) + In(y, Outputs(sizes)) + In(k, Keys(sizes)) + In(v, Values(sizes)) + Rows(sizes),
            products: 2.0 * Pairs(sizes) * (sizes.D + sizes.ValueSize)))
            device?.AttentionForward(q, k, v, in sizes, in dropout, y, logSumExp);
    }

    /// <inheritdoc/>
    public override void AttentionBackward(
        Values dy, Values q, Values k, Values v, Values y, Floats logSumExp, in AttentionSizes sizes, in Dropout dropout, Target dq,
        Target dk, Target dv, in RotaryAngles angles = default)
    {
        double products = Pairs(sizes) * (6.0 * sizes.D + 4.0 * sizes.ValueSize); // scores, dq, dk; slopes, dv
        using (Time(
            new(nameof(AttentionBackward), sizes.B, sizes.T, sizes.H, sizes.D), flops: products,
            values: In(q, Queries(sizes)) + 2.0 * In(y, Outputs(sizes)) + In(k, Keys(sizes)) + In(v, Values(sizes)) + Rows(sizes)
                + Out(dq, Queries(sizes))
                + Out(dk, Keys(sizes)) + Out(dv, Values(sizes)),
            products: products))
            device?.AttentionBackward(dy, q, k, v, y, logSumExp, in sizes, in dropout, dq, dk, dv, in angles);
    }

    /// <inheritdoc/>
    public override void AttentionSinksForward(Floats sinks, in AttentionSizes sizes, Values y, Floats logSumExp)
    {
        using (Time(
            new(nameof(AttentionSinksForward), sizes.B, sizes.T, sizes.H, sizes.D), flops: Outputs(sizes) + 6.0 * Rows(sizes),
            values: 2.0 * In(y, Outputs(sizes)) + 2.0 * Rows(sizes)))
            device?.AttentionSinksForward(sinks, in sizes, y, logSumExp);
    }

    /// <inheritdoc/>
    public override void AttentionSinksBackward(
        Values dy, Values y, Floats sinks, Floats logSumExp, in AttentionSizes sizes, Target dSinks)
    {
        using (Time(
            new(nameof(AttentionSinksBackward), sizes.B, sizes.T, sizes.H, sizes.D), flops: 2.0 * Outputs(sizes) + 4.0 * Rows(sizes),
            values: 2.0 * In(y, Outputs(sizes)) + Rows(sizes) + Out(dSinks, sizes.H)))
            device?.AttentionSinksBackward(dy, y, sinks, logSumExp, in sizes, dSinks);
    }

    /// <summary>Pairs of a query and a key that it sees.</summary>
    private static double Pairs(in AttentionSizes s)
    {
        double pairs = 0;
        for (int keys = s.S - s.T + 1; keys <= s.S; keys++)
            pairs += s.Window > 0 ? Math.Min(s.Window, keys) : keys;
        return pairs * s.B * s.H;
    }

    private static double Queries(in AttentionSizes s) => 1.0 * s.B * s.T * s.H * s.D;

    private static double Keys(in AttentionSizes s) => 1.0 * s.B * s.S * s.KvHeads * s.D;

    private static double Outputs(in AttentionSizes s) => 1.0 * s.B * s.T * s.H * s.ValueSize;

    private static double Values(in AttentionSizes s) => 1.0 * s.B * s.S * s.KvHeads * s.ValueSize;

    private static double Rows(in AttentionSizes s) => 1.0 * s.B * s.H * s.T;
}
