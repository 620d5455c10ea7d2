using System.Text.Json.Serialization;

namespace TinyMoE.Configuration;

/// <summary>How attention comes by its queries, keys, values and outputs.</summary>
public enum AttentionKind
{
    /// <summary>One matrix each for all tokens.</summary>
    Full,

    /// <summary>Experts in every head, chosen token by token (Csordás et al. 2023).</summary>
    SwitchHead,

    /// <summary>One matrix each, with keys and values made of one small vector per token (DeepSeek-AI 2024).</summary>
    Latent,
}

/// <summary>What is normed between the projections of queries and keys and their positions.</summary>
public enum QueryKeyNorm
{
    /// <summary>Queries and keys stay as they are projected.</summary>
    None,

    /// <summary>The whole projection, all heads together, with a weight for each element (OLMoE).</summary>
    Whole,

    /// <summary>Each head by itself, with one weight per element of a head (Qwen3).</summary>
    PerHead,
}

/// <summary>How rotary frequencies are changed for contexts longer than those a model was trained on.</summary>
public enum RopeScaling
{
    /// <summary>Frequencies stay as the base gives them.</summary>
    None,

    /// <summary>All divided by one factor (Chen et al. 2023).</summary>
    Linear,

    /// <summary>By a base that grows with the context beyond the original one ("dynamic NTK").</summary>
    Dynamic,

    /// <summary>Low frequencies divided, high ones kept, as in Llama 3.1.</summary>
    [JsonStringEnumMemberName("llama3")]
    Llama3,

    /// <summary>By a ramp over the frequencies, cosines and sines times a factor (YaRN, Peng et al. 2023).</summary>
    Yarn,
}

/// <summary>Attention: its heads, what they see, positions, norms and biases, and experts inside it. Keys <c>attention.*</c>.</summary>
public sealed record AttentionConfig
{
    /// <summary>
    /// full: a matrix each for queries, keys, values and outputs; switch-head: experts in every head for values and outputs (Csordás et
    /// al. 2023); latent: keys and values made of one small vector per token, which is all that a cache keeps (MLA, DeepSeek-AI 2024).
    /// </summary>
    public AttentionKind Kind { get; init; } = AttentionKind.Full;

    /// <summary>Query heads, H.</summary>
    [FormerKey("model.heads")]
    public int Heads { get; init; } = 4;

    /// <summary>Key and value heads; divides the heads. 0: as many as heads, and latent attention has no fewer.</summary>
    [FormerKey("model.kv_heads")]
    public int KvHeads { get; init; }

    /// <summary>
    /// Size of a head, D; 0: width/heads, and then the heads divide the width. In latent attention of a query and a key, with the
    /// attention.rope_size elements behind the others that have positions.
    /// </summary>
    public int HeadSize { get; init; }

    /// <summary>Size of a value's head in latent attention; 0: attention.head_size.</summary>
    public int ValueSize { get; init; }

    /// <summary>Latent attention: size of the vector that a token's keys and values are made of.</summary>
    public int LatentRank { get; init; }

    /// <summary>Latent attention: size of the normed vector that a token's queries are made of; 0: of the token itself.</summary>
    public int QueryRank { get; init; }

    /// <summary>
    /// How many tokens back attention sees, itself included; 0: all. One for all layers, or a list that repeats over them (128,0: every
    /// other layer sees all).
    /// </summary>
    [FormerKey("model.window")]
    public PerLayer Window { get; init; } = 0;

    /// <summary>What scores q·k are multiplied by; 0: 1/√D.</summary>
    public float Scale { get; init; }

    /// <summary>
    /// Norm of queries and keys before their positions: none, of the whole projection (OLMoE), or of each head (Qwen3); the model's kind
    /// of norm.
    /// </summary>
    public QueryKeyNorm QueryKeyNorm { get; init; }

    /// <summary>Queries, keys and values are kept from −clip to clip, after their norms and before positions (OLMoE); 0: not.</summary>
    public float Clip { get; init; }

    /// <summary>A learned logit per query head joins the softmax, and its share is dropped (gpt-oss).</summary>
    public bool Sinks { get; init; }

    /// <summary>Biases of queries, keys and values (Qwen2); in latent attention of the two projections down to small vectors.</summary>
    public bool Biases { get; init; }

    /// <summary>Bias of the output projection: as model.biases says, or true, or false.</summary>
    public BiasChoice OutputBias { get; init; }

    /// <summary>Base of the rotary frequencies.</summary>
    [FormerKey("model.rope_theta")]
    public float RopeTheta { get; init; } = 10000f;

    /// <summary>
    /// How rotary frequencies are changed for longer contexts: none, linear (all divided by the factor), dynamic (a base that grows with
    /// model.context beyond the original context, for texts of any length), llama3 (low ones divided), yarn (a ramp; Peng et al. 2023).
    /// </summary>
    public RopeScaling RopeScaling { get; init; }

    /// <summary>What the scaling divides rotary frequencies by, s: how many times longer contexts are meant to be.</summary>
    public float RopeFactor { get; init; } = 1f;

    /// <summary>Context that a model was trained on before the scaling (dynamic, llama3, yarn); 0: model.context.</summary>
    public int RopeOriginalContext { get; init; }

    /// <summary>Llama3: pairs that turn fewer times than this in the original context have their frequency divided.</summary>
    public float RopeLowFrequency { get; init; } = 1f;

    /// <summary>Llama3: pairs that turn more times than this in the original context keep their frequency.</summary>
    public float RopeHighFrequency { get; init; } = 4f;

    /// <summary>Yarn: the ramp begins at the pair that turns so many times in the original context.</summary>
    public float RopeBetaFast { get; init; } = 32f;

    /// <summary>Yarn: the ramp ends at the pair that turns so many times in the original context.</summary>
    public float RopeBetaSlow { get; init; } = 1f;

    /// <summary>Yarn: the ramp begins and ends at whole pairs.</summary>
    public bool RopeTruncate { get; init; } = true;

    /// <summary>
    /// Yarn: what cosines and sines are multiplied by; 0: m(s, rope_mscale)/m(s, rope_mscale_all_dim) where both are set, else m(s, 1),
    /// with m(s, k) = 0.1·k·ln s + 1.
    /// </summary>
    public float RopeAttentionFactor { get; init; }

    /// <summary>Yarn: see rope_attention_factor (DeepSeek's mscale); 0: not set.</summary>
    public float RopeMscale { get; init; }

    /// <summary>Yarn: see rope_attention_factor (DeepSeek's mscale_all_dim); 0: not set.</summary>
    public float RopeMscaleAllDim { get; init; }

    /// <summary>
    /// Elements of a head, from its first, that rotary positions turn, an even number; 0: all. In latent attention those at its end, which
    /// have the positions alone: their keys are one for all heads.
    /// </summary>
    public int RopeSize { get; init; }

    /// <summary>Rotary pairs are neighbours (2i, 2i + 1), not half of what is turned apart (i, i + D/2).</summary>
    public bool RopeInterleaved { get; init; }

    /// <summary>Experts per head, E; the values have theirs in every key and value head, the outputs in every query head.</summary>
    public int Experts { get; init; } = 4;

    /// <summary>Experts per token in each head, K.</summary>
    public int Active { get; init; } = 2;

    /// <summary>Chance that an expert cannot be chosen by a token, in training.</summary>
    public float GateDropout { get; init; }

    /// <summary>Key and value heads with the default resolved.</summary>
    internal int KvHeadsOrAll => KvHeads == 0 ? Heads : KvHeads;

    /// <summary>Size of a head, D, with the default resolved.</summary>
    internal int HeadSizeOrDefault(int width) => HeadSize == 0 ? width / Heads : HeadSize;

    /// <summary>Size of a value's head with the default resolved.</summary>
    internal int ValueSizeOrDefault(int width) => Kind == AttentionKind.Latent && ValueSize > 0 ? ValueSize : HeadSizeOrDefault(width);

    /// <summary>Elements of a head that rotary positions turn, with the default resolved.</summary>
    internal int RopeSizeOrAll(int width) => RopeSize == 0 ? HeadSizeOrDefault(width) : RopeSize;

    /// <summary>The context before the scaling of rotary frequencies, with the default resolved.</summary>
    internal int RopeOriginalContextOrAll(ModelConfig model) => RopeOriginalContext == 0 ? model.Context : RopeOriginalContext;

    /// <summary>All query heads side by side, H·D.</summary>
    internal int QueryWidth(int width) => Heads * HeadSizeOrDefault(width);

    /// <summary>All key heads side by side, KvHeads·D; values are as wide.</summary>
    internal int KeyWidth(int width) => KvHeadsOrAll * HeadSizeOrDefault(width);

    /// <summary>Whether the output projection of a model has a bias.</summary>
    internal bool HasOutputBias(ModelConfig model) => model.HasBias(OutputBias);
}
