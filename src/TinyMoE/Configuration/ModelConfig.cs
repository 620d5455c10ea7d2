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

    /// <summary>
    /// Biases in projections, experts, layer norms and the head (never in the router; those of queries, keys and values are
    /// attention.biases).
    /// </summary>
    public bool Biases { get; init; }

    /// <summary>The head shares the embedding's weights.</summary>
    public bool TieEmbeddings { get; init; }

    /// <summary>Dropout of attention weights, attention outputs and feed-forward outputs, in training.</summary>
    public float Dropout { get; init; }

    /// <summary>How weights begin.</summary>
    public InitKind Init { get; init; } = InitKind.Normal;

    /// <summary>Scale of the Switch initialisation.</summary>
    public float InitScale { get; init; } = 0.1f;

    /// <summary>Hidden size of a dense layer with the default resolved.</summary>
    internal int HiddenOrDefault => Hidden == 0 ? 4 * Width : Hidden;
}
