using System.Text.Json.Serialization;

namespace TinyMoE.Configuration;

/// <summary>How tokens find experts.</summary>
public enum RouterKind
{
    /// <summary>The top-k logits, softmax over them or over all.</summary>
    TopK,

    /// <summary>Trainable noise on the logits before the top-k.</summary>
    NoisyTopK,

    /// <summary>The one expert of the largest probability, which is its gate.</summary>
    Switch,

    /// <summary>Two experts, the second kept at random in proportion to its gate.</summary>
    [JsonStringEnumMemberName("gshard")]
    GShard,

    /// <summary>Each expert takes its top tokens.</summary>
    ExpertChoice,

    /// <summary>A balanced assignment by auction in training, the best expert otherwise.</summary>
    Base,

    /// <summary>Balanced by Sinkhorn's iteration in training, the top-k otherwise.</summary>
    Sinkhorn,

    /// <summary>A fixed table by token id.</summary>
    Hash,

    /// <summary>By the label of the text that a token is of.</summary>
    Task,

    /// <summary>Every expert on every token.</summary>
    Soft,

    /// <summary>A gate over groups of experts and a gate inside each.</summary>
    Hierarchical,

    /// <summary>Sigmoid scores and a bias that follows the load, without a balance loss.</summary>
    [JsonStringEnumMemberName("deepseek")]
    DeepSeek,

    /// <summary>Experts drawn at random.</summary>
    Random,

    /// <summary>Experts in turn.</summary>
    Uniform,
}
