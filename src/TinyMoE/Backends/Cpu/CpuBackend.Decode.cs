using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

// The host's memory is the device's here: the state is read where it is, and the rest is done by what does it for many tokens.
public sealed unsafe partial class CpuBackend
{
    /// <inheritdoc/>
    public override void AttendNewToken(
        Values q, Values k, Values v, Floats cos, Floats sin, Floats sinks, in NewTokenSizes sizes, DecodeState state, Values keys,
        Values values, Values y)
    {
        (int H, int KvHeads, int D, int turned, bool interleaved, int window, _, float factor) = sizes;
        int at = state.Position.Span[0], row = KvHeads * D, seen = (at + 1) * row;
        if (turned > 0)
            Rope(q, k, cos, sin, new RopeSizes(1, 1, H, KvHeads, D, turned, at, interleaved), inverse: false, q, k);
        if (factor != 1f)
            Affine(q, factor, 0f, H * D, q);
        Convert(k, row, keys.Slice(at * row, row));
        Convert(v, row, values.Slice(at * row, row));

        AttentionSizes attention = new(1, 1, at + 1, H, KvHeads, D, window);
        DeviceBuffer scratch = ScratchPool.Rent(H * sizeof(float));
        Floats logSumExp = scratch.As<float>(H);
        AttentionForward(q, keys.Slice(0, seen), values.Slice(0, seen), in attention, default, y, logSumExp);
        if (!sinks.IsNone)
            AttentionSinksForward(sinks, in attention, y, logSumExp);
        ScratchPool.Return(scratch);
    }

    /// <inheritdoc/>
    public override void ChooseToken(Floats logits, Ints ids, Ints seen, in SamplingRules rules, DecodeState state)
    {
        Span<int> numbers = state.Numbers.Span;
        int index = numbers[2], token = ids.IsNone ? 0 : ids.Span[0];
        if (Sampler.AreFinite(logits.Span))
        {
            float[] values = logits.Span.ToArray();
            if (!seen.IsNone)
                Sampler.Penalize(values, [.. Marked(seen)], rules.RepetitionPenalty);
            int[]? few = ids.IsNone ? null : ids.Span.ToArray();
            token = new Sampler(rules, few?.Length ?? values.Length).Choose(values, few, index);
        }
        else if (numbers[3] < 0)
        {
            numbers[3] = index;
        }

        if (!seen.IsNone)
            seen.Span[token] = 1;
        numbers[0] = numbers[DecodeState.First + index % state.Remembered] = token;
        numbers[1]++;
        numbers[2]++;
    }

    private static List<int> Marked(Ints seen)
    {
        List<int> marked = [];
        for (int token = 0; token < seen.Length; token++)
        {
            if (seen.Span[token] != 0)
                marked.Add(token);
        }

        return marked;
    }
}
