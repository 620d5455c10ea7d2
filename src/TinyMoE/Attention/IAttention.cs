using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Attention;

/// <summary>The attention of one layer, of any kind.</summary>
internal interface IAttention
{
    /// <summary>x, result (B, T, C). With a cache of its own making, x continues the sequence that the cache holds.</summary>
    Tensor Forward(Tensor x, Pass pass, AttentionCache? cache = null);

    /// <summary>Whether its cache may have a <see cref="AttentionCache.State"/>.</summary>
    bool ReadsState => false;

    /// <summary>
    /// An empty cache for one sequence, which grows as it fills, or with the <paramref name="whole"/> of its room at once; its rows are
    /// kept in <paramref name="type"/>, as activations are.
    /// </summary>
    AttentionCache NewCache(Backend backend, bool whole = false, ElementType type = ElementType.Float32);
}

/// <summary>Makes the attention that a configuration names.</summary>
internal static class AttentionFactory
{
    public static IAttention Create(
        ParameterStore store, string name, ModelConfig model, AttentionConfig attention, int layer, RotaryTable? rotary) =>
        attention.Kind switch
        {
            AttentionKind.Full => new FullAttention(store, name, model, attention, layer, rotary),
            AttentionKind.SwitchHead => new SwitchHeadAttention(store, name, model, attention, layer, rotary),
            AttentionKind.Latent => new LatentAttention(store, name, model, attention, layer, rotary!),
            _ => throw new InvalidOperationException($"No attention {attention.Kind}."),
        };
}
