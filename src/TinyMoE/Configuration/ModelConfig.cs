using System.Text.Json.Serialization;

namespace TinyMoE.Configuration;

/// <summary>Which norm a block begins with.</summary>
public enum NormKind
{
    /// <summary>Root mean square (Zhang and Sennrich 2019).</summary>
    Rms,

    /// <summary>Mean and variance (Ba et al. 2016).</summary>
    Layer,
}

/// <summary>How a model knows where a token stands.</summary>
public enum PositionKind
{
    /// <summary>Rotated queries and keys (Su et al. 2021), the half-rotation of Llama and Mixtral.</summary>
    Rope,

    /// <summary>A learned vector per position.</summary>
    Learned,
}

/// <summary>The feed-forward network, dense or of an expert.</summary>
public enum FeedForwardKind
{
    /// <summary>down·(silu(gate·x)·(up·x)) (Shazeer 2020).</summary>
    [JsonStringEnumMemberName("swiglu")]
    SwiGlu,

    /// <summary>down·gelu(up·x).</summary>
    Gelu,

    /// <summary>down·relu(up·x).</summary>
    Relu,

    /// <summary>down·(g·sigmoid(α·g)·(u + 1)), g = min(gate·x, limit), u = up·x within ±limit (GPT-OSS).</summary>
    [JsonStringEnumMemberName("clamped-swiglu")]
    ClampedSwiGlu,
}

/// <summary>Whether some of a model's projections have biases.</summary>
public enum BiasChoice
{
    /// <summary>As <c>model.biases</c> says.</summary>
    AsModel,

    /// <summary>They have biases.</summary>
    True,

    /// <summary>They have no biases.</summary>
    False,
}

/// <summary>How weights begin.</summary>
public enum InitKind
{
    /// <summary>Normal with standard deviation 0.02; projections into the residual stream 0.02/√(2·layers) (GPT-2).</summary>
    Normal,

    /// <summary>Normal truncated at two standard deviations √(scale/inputs), scale 0.1 (Fedus et al. 2021).</summary>
    Switch,

    /// <summary>Normal with standard deviation √(2/inputs) for matrices (He et al. 2015), embeddings standard normal: makeMoE's.</summary>
    Kaiming,
}

/// <summary>The decoder's shape. Keys <c>model.*</c>.</summary>
public sealed record ModelConfig
{
    /// <summary>Size of the residual stream, C.</summary>
    public int Width { get; init; } = 128;

    /// <summary>Blocks, L.</summary>
    public int Layers { get; init; } = 4;

    /// <summary>Most tokens the model sees at once, T.</summary>
    public int Context { get; init; } = 128;

    /// <summary>Symbols, V; 0: what the tokenizer has. More than that are never written, as where V is to be a round number.</summary>
    public int Vocabulary { get; init; }

    /// <summary>Norm before attention, before the feed-forward, and at the end.</summary>
    public NormKind Norm { get; init; } = NormKind.Rms;

    /// <summary>Added to the variance in the norms.</summary>
    public float NormEpsilon { get; init; } = 1e-5f;

    /// <summary>Rotary or learned positions.</summary>
    public PositionKind Positions { get; init; } = PositionKind.Rope;

    /// <summary>The feed-forward, in dense layers and in experts.</summary>
    public FeedForwardKind FeedForward { get; init; } = FeedForwardKind.SwiGlu;

    /// <summary>Hidden size of dense layers; 0: four times the width.</summary>
    public int Hidden { get; init; }

    /// <summary>Feed-forward clamped-swiglu: the most that gate and up are let through (GPT-OSS: 7).</summary>
    public float SwigluLimit { get; init; } = 7f;

    /// <summary>Feed-forward clamped-swiglu: what the gate is multiplied by inside its sigmoid (GPT-OSS: 1.702).</summary>
    public float SwigluAlpha { get; init; } = 1.702f;

    /// <summary>
    /// Biases in projections, experts, layer norms and the head (not in the router, which has moe.router_bias; those of queries, keys and
    /// values are attention.biases).
    /// </summary>
    public bool Biases { get; init; }

    /// <summary>Biases of the feed-forward in dense layers: as model.biases says, or true, or false.</summary>
    public BiasChoice FeedForwardBiases { get; init; }

    /// <summary>Bias of the head: as model.biases says, or true, or false.</summary>
    public BiasChoice HeadBias { get; init; }

    /// <summary>The head shares the embedding's weights.</summary>
    public bool TieEmbeddings { get; init; }

    /// <summary>What the embedding of a token is multiplied by (Granite).</summary>
    public float EmbeddingMultiplier { get; init; } = 1f;

    /// <summary>What attention and feed-forward add to the residual stream is multiplied by (Granite).</summary>
    public float ResidualMultiplier { get; init; } = 1f;

    /// <summary>What the logits of the next token are divided by (Granite).</summary>
    public float LogitsScaling { get; init; } = 1f;

    /// <summary>Dropout of attention weights, attention outputs and feed-forward outputs, in training.</summary>
    public float Dropout { get; init; }

    /// <summary>How weights begin.</summary>
    public InitKind Init { get; init; } = InitKind.Normal;

    /// <summary>Scale of the Switch initialisation.</summary>
    public float InitScale { get; init; } = 0.1f;

    /// <summary>Hidden size of a dense layer with the default resolved.</summary>
    internal int HiddenOrDefault => Hidden == 0 ? 4 * Width : Hidden;

    /// <summary>Whether the feed-forward has a gate beside its up projection.</summary>
    internal bool IsGated => FeedForward is FeedForwardKind.SwiGlu or FeedForwardKind.ClampedSwiGlu;

    /// <summary>Whether projections with this choice have biases.</summary>
    internal bool HasBias(BiasChoice choice) => choice == BiasChoice.AsModel ? Biases : choice == BiasChoice.True;
}
