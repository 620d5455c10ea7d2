using System.Text.Json.Serialization;

namespace TinyMoE.Configuration;

/// <summary>What projects values and outputs of attention.</summary>
public enum AttentionKind
{
    /// <summary>One matrix each for all tokens.</summary>
    Full,

    /// <summary>Experts in every head, chosen token by token (Csordás et al. 2023).</summary>
    SwitchHead,

    /// <summary>Keys and values from one small vector per token (DeepSeek-V2); not there yet.</summary>
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

    /// <summary>All divided by one factor; not there yet.</summary>
    Linear,

    /// <summary>By a base that grows with the length; not there yet.</summary>
    Dynamic,

    /// <summary>Low frequencies divided, high ones kept, as in Llama 3; not there yet.</summary>
    [JsonStringEnumMemberName("llama3")]
    Llama3,

    /// <summary>By a ramp over the frequencies (Peng et al. 2023); not there yet.</summary>
    Yarn,
}

/// <summary>Attention: its heads, what they see, positions, norms and biases, and experts inside it. Keys <c>attention.*</c>.</summary>
public sealed record AttentionConfig
{
    /// <summary>
    /// The value and output projections: a matrix each, or experts in every head (SwitchHead, Csordás et al. 2023); latent is not there
    /// yet.
    /// </summary>
    public AttentionKind Kind { get; init; } = AttentionKind.Full;

    /// <summary>Query heads, H.</summary>
    [FormerKey("model.heads")]
    public int Heads { get; init; } = 4;

    /// <summary>Key and value heads; divides the heads. 0: as many as heads.</summary>
    [FormerKey("model.kv_heads")]
    public int KvHeads { get; init; }

    /// <summary>Size of a head, D; 0: width/heads, and then the heads divide the width.</summary>
    public int HeadSize { get; init; }

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

    /// <summary>Biases of queries, keys and values (Qwen2).</summary>
    public bool Biases { get; init; }

    /// <summary>Bias of the output projection: as model.biases says, or true, or false.</summary>
    public BiasChoice OutputBias { get; init; }

    /// <summary>Base of the rotary frequencies.</summary>
    [FormerKey("model.rope_theta")]
    public float RopeTheta { get; init; } = 10000f;

    /// <summary>How rotary frequencies are changed for longer contexts; only none is there yet.</summary>
    public RopeScaling RopeScaling { get; init; }

    /// <summary>Elements of a head, from its first, that rotary positions turn; 0: all, and only that is there yet.</summary>
    public int RopeSize { get; init; }

    /// <summary>Rotary pairs are neighbours (2i, 2i + 1), not half a head apart (i, i + D/2); only false is there yet.</summary>
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

    /// <summary>All query heads side by side, H·D.</summary>
    internal int QueryWidth(int width) => Heads * HeadSizeOrDefault(width);

    /// <summary>All key heads side by side, KvHeads·D; values are as wide.</summary>
    internal int KeyWidth(int width) => KvHeadsOrAll * HeadSizeOrDefault(width);

    /// <summary>Whether the output projection of a model has a bias.</summary>
    internal bool HasOutputBias(ModelConfig model) => model.HasBias(OutputBias);
}
