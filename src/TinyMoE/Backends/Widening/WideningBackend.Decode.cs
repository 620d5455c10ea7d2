using TinyMoE.Memory;

namespace TinyMoE.Backends.Widening;

// New tokens of several sequences, one after the other, for a device that has no kernel for all of them.
public abstract partial class WideningBackend
{
    /// <summary>See <see cref="Backend.AttendNewTokens"/>: attention of each for itself.</summary>
    protected void AttendOneByOne(
        Values q, Values k, Values v, Floats sinks, in AttentionSizes sizes, ReadOnlySpan<CachedRows> caches, Values y)
    {
        (int N, _, _, int H, _, _, _) = sizes;
        int query = sizes.QueryWidth, output = H * sizes.ValueSize;
        DeviceBuffer scratch = ScratchPool.Rent((long)N * H * sizeof(float), "attention of new tokens");
        Floats logSumExp = scratch.As<float>(N * H);             // (N, H)
        for (int n = 0; n < N; n++)
        {
            CachedRows cache = caches[n];
            AttentionSizes own = sizes with { B = 1, T = 1, S = cache.Length + 1 };
            Append(k, n, own.KeyWidth, cache.Keys, cache.Length);
            Append(v, n, own.ValueWidth, cache.Values, cache.Length);
            AttentionForward(
                q.Slice(n * query, query), cache.Keys.Slice(0, own.S * own.KeyWidth), cache.Values.Slice(0, own.S * own.ValueWidth), in own,
                default, y.Slice(n * output, output), logSumExp.Slice(n * H, H));
        }

        if (!sinks.IsNone)
            AttentionSinksForward(sinks, in sizes, y, logSumExp);
        ScratchPool.Return(scratch);
    }

    /// <summary>Row n of x becomes row <paramref name="at"/> of a cache.</summary>
    private void Append(Values x, int n, int width, Values rows, int at) =>
        Convert(x.Slice(n * width, width), width, rows.Slice(at * width, width));
}
