using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Attention;

/// <summary>Keys and values of the tokens seen so far by one sequence: two blocks (context, KvHeads, D) a layer, filled from the front.</summary>
public sealed class KvCache : IDisposable
{
    private readonly Backend backend;
    private readonly DeviceBuffer[] keys;
    private readonly DeviceBuffer[] values;
    private readonly int rowLength; // KvHeads·D

    /// <summary>An empty cache for a model of this shape.</summary>
    public KvCache(Backend backend, ModelConfig config)
    {
        this.backend = backend;
        rowLength = config.KvHeadsOrAll * config.HeadSize;
        Capacity = config.Context;
        DeviceBuffer NewBuffer() => backend.Pool.Rent((long)Capacity * rowLength * sizeof(float));
        keys = [.. Enumerable.Range(0, config.Layers).Select(_ => NewBuffer())];
        values = [.. Enumerable.Range(0, config.Layers).Select(_ => NewBuffer())];
    }

    /// <summary>Most tokens it holds.</summary>
    public int Capacity { get; }

    /// <summary>Tokens it holds.</summary>
    public int Length { get; private set; }

    /// <summary>Forgets all tokens.</summary>
    public void Clear() => Length = 0;

    /// <summary>Counts the tokens that every layer has appended.</summary>
    public void Advance(int tokens) => Length += tokens;

    /// <summary>Adds keys and values (1, T, KvHeads, D) of a layer; returns those of all tokens so far (1, S, KvHeads, D).</summary>
    internal (Tensor Keys, Tensor Values) Append(int layer, Tensor k, Tensor v) => (Append(keys[layer], k), Append(values[layer], v));

    /// <summary>Gives the memory back.</summary>
    public void Dispose()
    {
        foreach (DeviceBuffer buffer in keys.Concat(values))
            backend.Pool.Return(buffer);
    }

    private Tensor Append(DeviceBuffer buffer, Tensor x)
    {
        int T = x.Shape[1], S = Length + T;
        Floats all = buffer.As<float>(Capacity * rowLength);
        backend.Affine(x.Data, 1f, 0f, x.Count, all.Slice(Length * rowLength, x.Count));
        return x.Tape.Borrow((1, S, x.Shape[2], x.Shape[3]), all.Slice(0, S * rowLength));
    }
}
