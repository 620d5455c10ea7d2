using TinyMoE.Attention;
using TinyMoE.Backends;

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

    /// <summary>A cache for passes of one new token of each of several sequences; see <see cref="Join"/>.</summary>
    internal static DecoderCache Joined(int layers, int capacity, NewTokens tokens) =>
        new([.. Enumerable.Range(0, layers).Select(_ => new JoinedCache(capacity, tokens))]);

    /// <summary>The sequences that the next passes of a joined cache are of, in their order.</summary>
    internal void Join(IReadOnlyList<DecoderCache> sequences)
    {
        for (int layer = 0; layer < layers.Length; layer++)
        {
            List<AttentionCache> each = ((JoinedCache)layers[layer]).Each;
            each.Clear();
            for (int n = 0; n < sequences.Count; n++)
                each.Add(sequences[n][layer]);
        }
    }

    /// <summary>The cache of a layer.</summary>
    internal AttentionCache this[int layer] => layers[layer];

    /// <summary>Where the device has the place of the next token, see <see cref="AttentionCache.State"/>; null: the host says.</summary>
    internal DecodeState? State
    {
        get => layers[0].State;
        set => Array.ForEach(layers, layer => layer.State = value);
    }

    /// <summary>Makes sure that there is room for so many tokens; whether the memory of all layers is where it was.</summary>
    internal bool Reserve(int tokens)
    {
        bool same = true;
        foreach (AttentionCache layer in layers)
            same &= layer.Reserve(tokens);
        return same;
    }

    /// <summary>Forgets all tokens.</summary>
    public void Clear() => Array.ForEach(layers, layer => layer.Clear());

    /// <summary>Gives the memory back.</summary>
    public void Dispose() => Array.ForEach(layers, layer => layer.Dispose());

    /// <summary>Counts the tokens that every layer has appended.</summary>
    internal void Advance(int tokens)
    {
        foreach (AttentionCache layer in layers)
            layer.Advance(tokens);
    }
}
