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
    public override void AttendNewTokens(
        Values q, Values k, Values v, Floats sinks, in AttentionSizes sizes, ReadOnlySpan<CachedRows> caches, Values y)
    {
        if (q.Type != ElementType.Float32)
        {
            AttendOneByOne(q, k, v, sinks, in sizes, caches, y); // which widens the rows of one cache at a time
            return;
        }

        int count = sizes.B * sizes.H, keys = sizes.KeyWidth, values = sizes.ValueWidth;
        for (int n = 0; n < sizes.B; n++)
        {
            k.Float32.Slice(n * keys, keys).Span.CopyTo(caches[n].Keys.Float32.Slice(caches[n].Length * keys, keys).Span);
            v.Float32.Slice(n * values, values).Span.CopyTo(caches[n].Values.Float32.Slice(caches[n].Length * values, values).Span);
        }

        DeviceBuffer scratch = ScratchPool.Rent((long)count * sizeof(float), "attention of new tokens");
        Floats logSumExp = scratch.As<float>(count);             // (B, H)
        fixed (CachedRows* rows = caches)
        {
            NewTokensWork work = new(this, q.Float32, (nint)rows, sizes, y.Float32, logSumExp);
            Simd.Run(work, Simd.BitsOf(sizes.D, FewHeadValues));
        }

        if (!sinks.IsNone)
            AttentionSinksForward(sinks, in sizes, y, logSumExp);
        ScratchPool.Return(scratch);
    }

    /// <summary>All heads of all sequences are one loop, whatever their lengths.</summary>
    private void AttendNewTokens<TSimd, TVector>(Floats q, nint caches, AttentionSizes sizes, Floats y, Floats logSumExp)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        ForRows(sizes.B * sizes.H, sizes.S * sizes.D, (q, caches, sizes, y, logSumExp, workers), static (start, end, in s) =>
        {
            (int H, int output) = (s.sizes.H, s.sizes.H * s.sizes.ValueSize);
            for (int i = start; i < end; i++)
            {
                (int n, int head) = Math.DivRem(i, H);
                CachedRows cache = ((CachedRows*)s.caches)[n];
                AttentionSizes own = s.sizes with { B = 1, S = cache.Length + 1 };
                Floats query = s.q.Slice(n * own.QueryWidth, own.QueryWidth), to = s.y.Slice(n * output, output);
                AttendOneQuery<TSimd, TVector>(
                    new AttentionHead(own, head), query, cache.Keys.Float32, cache.Values.Float32, to, s.logSumExp.Slice(n * H, H),
                    s.workers);
            }
        });
    }

    /// <summary>One query of one head, by the loop that <see cref="AttentionForward"/> has for it.</summary>
    private static void AttendOneQuery<TSimd, TVector>(
        in AttentionHead head, Floats q, Floats k, Floats v, Floats y, Floats logSumExp, Workers workers)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        if (IsOfWholeVectors<TSimd, TVector>(head.Sizes))
            AttendOne<TSimd, TVector>(head, q, k, v, y, logSumExp, workers);
        else
            Attend<TSimd, TVector>(head, 0, 1, q, k, v, default, y, logSumExp, workers);
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

    private readonly record struct NewTokensWork(
        CpuBackend Backend, Floats Q, nint Caches, AttentionSizes Sizes, Floats Y, Floats LogSumExp) : IVectorWork
    {
        void IVectorWork.Run<TSimd, TVector>() => Backend.AttendNewTokens<TSimd, TVector>(Q, Caches, Sizes, Y, LogSumExp);
    }
}
