using TinyMoE.Backends;
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Attention;

/// <summary>Keys and values of every head: a row (KvHeads, D) of each per token.</summary>
internal sealed class KvCache : AttentionCache
{
    private readonly Backend backend;
    private readonly int rowLength; // KvHeads·D
    private readonly CacheRows keys;
    private readonly CacheRows values;

    public KvCache(Backend backend, int capacity, int rowLength, bool whole, ElementType type)
        : base(capacity)
    {
        (this.backend, this.rowLength) = (backend, rowLength);
        keys = new CacheRows(backend, capacity, rowLength, whole, type);
        values = new CacheRows(backend, capacity, rowLength, whole, type);
    }

    /// <summary>Adds keys and values (1, T, KvHeads, D); returns those of all tokens so far (1, S, KvHeads, D).</summary>
    public (Tensor Keys, Tensor Values) Append(Tensor k, Tensor v) => (Append(keys, k), Append(values, v));

    /// <summary>The rows (Room, KvHeads, D) of keys and of values, with room for one token more; and how many they are.</summary>
    public (Values Keys, Values Values, int Room) Rows()
    {
        Values all = keys.WithRoom(Length + 1, used: Length);
        return (all, values.WithRoom(Length + 1, used: Length), all.Length / rowLength);
    }

    public override bool Reserve(int tokens)
    {
        nint before = keys.WithRoom(Length, used: Length).Address;
        _ = values.WithRoom(tokens, used: Length);
        return keys.WithRoom(tokens, used: Length).Address == before;
    }

    public override void Dispose()
    {
        keys.Dispose();
        values.Dispose();
    }

    private Tensor Append(CacheRows rows, Tensor x)
    {
        int T = x.Shape[1], S = Length + T;
        Values all = rows.WithRoom(S, used: Length);
        backend.Affine(x.Values, 1f, 0f, x.Count, all.Slice(Length * rowLength, x.Count));
        return x.Tape.Borrow((1, S, x.Shape[2], x.Shape[3]), all.Slice(0, S * rowLength));
    }
}
