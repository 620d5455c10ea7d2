using TinyMoE.Backends;
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Attention;

/// <summary>Keys and values of every head: two blocks (capacity, KvHeads, D), filled from the front.</summary>
internal sealed class KvCache : AttentionCache
{
    private readonly Backend backend;
    private readonly int rowLength; // KvHeads·D
    private readonly DeviceBuffer keys;
    private readonly DeviceBuffer values;

    public KvCache(Backend backend, int capacity, int rowLength)
        : base(capacity)
    {
        (this.backend, this.rowLength) = (backend, rowLength);
        keys = backend.Pool.Rent(BytesOf(capacity, rowLength) / 2);
        values = backend.Pool.Rent(BytesOf(capacity, rowLength) / 2);
    }

    /// <summary>What it takes for <paramref name="capacity"/> tokens.</summary>
    public static long BytesOf(int capacity, int rowLength) => 2L * capacity * rowLength * sizeof(float);

    /// <summary>Adds keys and values (1, T, KvHeads, D); returns those of all tokens so far (1, S, KvHeads, D).</summary>
    public (Tensor Keys, Tensor Values) Append(Tensor k, Tensor v) => (Append(keys, k), Append(values, v));

    public override void Dispose()
    {
        backend.Pool.Return(keys);
        backend.Pool.Return(values);
    }

    private Tensor Append(DeviceBuffer buffer, Tensor x)
    {
        int T = x.Shape[1], S = Length + T;
        Floats all = buffer.As<float>(Capacity * rowLength);
        backend.Affine(x.Data, 1f, 0f, x.Count, all.Slice(Length * rowLength, x.Count));
        return x.Tape.Borrow((1, S, x.Shape[2], x.Shape[3]), all.Slice(0, S * rowLength));
    }
}
