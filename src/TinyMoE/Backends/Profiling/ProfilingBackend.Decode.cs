using TinyMoE.Memory;

namespace TinyMoE.Backends.Profiling;

// How far a text has come is known on the device only: counted is a full cache.
public sealed partial class ProfilingBackend
{
    /// <inheritdoc/>
    public override void AttendNewToken(
        Values q, Values k, Values v, Floats cos, Floats sin, Floats sinks, in NewTokenSizes sizes, DecodeState state, Values keys,
        Values values, Values y)
    {
        (int H, int KvHeads, int D, _, _, int window, int room, _) = sizes;
        double seen = window > 0 ? Math.Min(window, room) : room, products = 4 * seen * H * D;
        using (Time(
            new(nameof(AttendNewToken), room, H, KvHeads, D), flops: products,
            values: In(q, Area(2 * H, D)) + In(k, Area(4 * KvHeads, D)) + 2 * In(keys, seen * KvHeads * D), products: products))
            device?.AttendNewToken(q, k, v, cos, sin, sinks, in sizes, state, keys, values, y);
    }

    /// <inheritdoc/>
    public override int Sequences
    {
        get => device?.Sequences ?? base.Sequences;
        set
        {
            if (device is null)
                base.Sequences = value;
            else
                device.Sequences = value;
        }
    }

    /// <inheritdoc/>
    public override void AttendNewTokens(
        Values q, Values k, Values v, Floats sinks, in AttentionSizes sizes, ReadOnlySpan<CachedRows> caches, Values y)
    {
        double seen = 0;
        foreach (CachedRows cache in caches)
            seen += sizes.Window > 0 ? Math.Min(sizes.Window, cache.Length + 1) : cache.Length + 1;
        double products = 2 * seen * sizes.H * (sizes.D + sizes.ValueSize);
        using (Time(
            new(nameof(AttendNewTokens), sizes.B, sizes.H, sizes.KvHeads, sizes.D), flops: products,
            values: In(q, Queries(sizes)) + In(y, Outputs(sizes)) + In(k, (seen + 2 * sizes.B) * sizes.KeyWidth)
                + In(v, (seen + 2 * sizes.B) * sizes.ValueWidth), products: products))
            device?.AttendNewTokens(q, k, v, sinks, in sizes, caches, y);
    }

    /// <inheritdoc/>
    public override void ChooseToken(Floats logits, Ints ids, Ints seen, in SamplingRules rules, DecodeState state)
    {
        using (Time(new(nameof(ChooseToken), logits.Length), flops: logits.Length, values: logits.Length + ids.Length + seen.Length))
            device?.ChooseToken(logits, ids, seen, in rules, state);
    }
}
