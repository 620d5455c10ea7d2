using TinyMoE.Attention;

namespace TinyMoE.Models;

/// <summary>
/// What every layer of a decoder keeps of the tokens seen so far by one sequence; <see cref="Decoder.NewCache()"/> makes it.
/// </summary>
public sealed class DecoderCache : IDisposable
{
    private readonly AttentionCache[] layers;

    internal DecoderCache(AttentionCache[] layers) => this.layers = layers;

    /// <summary>Most tokens it holds.</summary>
    public int Capacity => layers[0].Capacity;

    /// <summary>Tokens it holds.</summary>
    public int Length => layers[0].Length;

    /// <summary>The cache of a layer.</summary>
    internal AttentionCache this[int layer] => layers[layer];

    /// <summary>Forgets all tokens.</summary>
    public void Clear() => Array.ForEach(layers, layer => layer.Clear());

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => Array.ForEach(layers, layer => layer.Dispose());

    /// <summary>Counts the tokens that every layer has appended.</summary>
    internal void Advance(int tokens) => Array.ForEach(layers, layer => layer.Advance(tokens));
}
