using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Attention;

/// <summary>
/// Causal self-attention with grouped queries (Ainslie et al. 2023), rotary positions and a sliding window where configured. Values and outputs have one projection each,
/// or experts in every head (SwitchHead, <see cref="HeadExperts"/>).
/// </summary>
public sealed class CausalAttention
{
    private readonly ModelConfig config;
    private readonly int layer;
    private readonly RotaryTable? rotary;
    private readonly Linear query;
    private readonly Linear key;
    private readonly Linear? value;
    private readonly Linear? output;
    private readonly HeadExperts? valueExperts;
    private readonly HeadExperts? outputExperts;

    internal CausalAttention(ParameterStore store, string name, ModelConfig config, AttentionConfig attention, int layer, RotaryTable? rotary)
    {
        (this.config, this.layer, this.rotary) = (config, layer, rotary);
        WeightInit init = new(config);
        int C = config.Width, keyWidth = config.KvHeadsOrAll * config.HeadSize;
        query = new Linear(store, $"{name}.query", ModelPart.Attention, C, C, init.Matrix(C));
        key = new Linear(store, $"{name}.key", ModelPart.Attention, C, keyWidth, init.Matrix(C));
        if (attention.Kind == AttentionKind.SwitchHead)
        {
            valueExperts = HeadExperts.OfValues(store, name, config, attention, layer);
            outputExperts = HeadExperts.OfOutputs(store, name, config, attention, layer);
            return;
        }

        value = new Linear(store, $"{name}.value", ModelPart.Attention, C, keyWidth, init.Matrix(C));
        output = new Linear(store, $"{name}.output", ModelPart.Attention, C, C, init.Residual(C), config.Biases);
    }

    /// <summary>x, result (B, T, C). With a cache, x continues the sequence that the cache holds.</summary>
    public Tensor Forward(Tensor x, Pass pass, KvCache? cache = null)
    {
        int B = x.Shape[0], T = x.Shape[1], H = config.Heads, D = config.HeadSize, kvHeads = config.KvHeadsOrAll;
        Tensor q = query.Forward(x).Reshape((B, T, H, D));
        Tensor k = key.Forward(x).Reshape((B, T, kvHeads, D));
        Tensor tokens = x.Reshape((B * T, x.Shape.Last));
        Tensor v = (value?.Forward(x) ?? valueExperts!.Values(tokens, pass)).Reshape((B, T, kvHeads, D));
        if (rotary is not null)
            (q, k) = q.Rope(k, rotary.Cos, rotary.Sin, start: cache?.Length ?? 0);
        if (cache is not null)
            (k, v) = cache.Append(layer, k, v);                  // (1, S, KvHeads, D)
        Tensor y = q.Attention(k, v, config.Window, pass.Dropout(config.Dropout, RandomPurpose.AttentionDropout, layer));
        return output?.Forward(y.Reshape((B, T, H * D))) ?? outputExperts!.Outputs(y.Reshape((B * T * H, D)), tokens, pass).Reshape(x.Shape);
    }
}
