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

/// <summary>Whether what a token gets may depend on tokens after it.</summary>
public enum Causality
{
    /// <summary>Never: a decoder sees the past alone.</summary>
    Causal,

    /// <summary>In training only, where the whole batch is balanced; evaluation and generation are causal.</summary>
    CausalInInference,

    /// <summary>Always: a decoder may see the future.</summary>
    NonCausal,
}

/// <summary>What a configuration must know of a router without making it.</summary>
/// <param name="Kind">The router.</param>
/// <param name="Summary">What it does, in a line.</param>
/// <param name="Source">The paper, or the models that use it.</param>
/// <param name="Active">The number of experts per token, where it is the router's own; null: <see cref="MoeConfig.Active"/>.</param>
/// <param name="HasProbabilities">Whether it has probabilities over the experts, for balance losses.</param>
/// <param name="HasLogits">Whether it computes logits of a token, for the z-loss, jitter, noise, gate dropout and precision.</param>
/// <param name="Drops">Whether a capacity factor can make it drop tokens.</param>
/// <param name="Causality">Whether it looks ahead.</param>
public sealed record RouterTraits(
    RouterKind Kind, string Summary, string Source, int? Active = null, bool HasProbabilities = true, bool HasLogits = true,
    bool Drops = true, Causality Causality = Causality.Causal)
{
    /// <summary>All routers.</summary>
    public static IReadOnlyList<RouterTraits> All { get; } =
    [
        new(RouterKind.TopK, "the K largest logits; gates softmax over them, or over all",
            "Mixtral (Jiang et al. 2024), OLMoE (Muennighoff et al. 2024), Qwen2-MoE")
        {
            Remarks = "With K = 1 and `moe.renormalize=true` every gate is 1, as in Hugging Face's models: weights that are given may "
                + "have it, training from nothing refuses it. A group's score, with `moe.groups`, is its largest logit; gates are "
                + "multiplied by `moe.routed_scaling` last.",
        },
        new(RouterKind.NoisyTopK, "trainable noise on the logits, then top-k; importance and smooth load losses", "Shazeer et al. 2017")
        {
            Remarks = "Gates are always the softmax over the chosen logits, noise included; `moe.renormalize` is not read.",
        },
        new(RouterKind.Switch, "one expert, its gate the probability over all, never renormalised", "Fedus et al. 2021", Active: 1),
        new(RouterKind.GShard, "two experts, the second kept at random in proportion to its gate", "Lepikhin et al. 2020", Active: 2)
        {
            Remarks = "The two gates are divided by their sum before the second is dropped, so the first stays as it is. "
                + "Evaluation keeps both.",
        },
        new(RouterKind.ExpertChoice, "each expert takes its top tokens: always balanced, looks ahead", "Zhou et al. 2022",
            Drops: false, Causality: Causality.NonCausal)
        {
            Remarks = "An expert takes max(1, ⌊N·K/E⌋) of a group of N tokens that count, whatever `moe.min_capacity` says; "
                + "gates are p over all experts. "
                + "An evaluation is the same for any `train.batch`: with `moe.choice_group` `batch` each window is a group of its own; "
                + "with `position`, where one alone would get every expert, windows are grouped evenly, at least eight together and "
                + "as many as give every expert whole tokens.",
        },
        new(RouterKind.Base, "balanced linear assignment by auction in training, the best expert otherwise; sigmoid gate",
            "Lewis et al. 2021", Active: 1, Drops: false, Causality: Causality.CausalInInference),
        new(RouterKind.Sinkhorn, "balanced by Sinkhorn's iteration in training, top-k otherwise", "Clark et al. 2022",
            Causality: Causality.CausalInInference)
        {
            Remarks = "The gate is the sigmoid of the logit for K = 1, and p over all experts for more; it is never renormalised. "
                + "The balanced plan only chooses.",
        },
        new(RouterKind.Hash, "a fixed table by token id, random or balanced by frequency; no gate", "Roller et al. 2021",
            HasProbabilities: false, HasLogits: false)
        {
            Remarks = "With K > 1 all gates are 1/K: there is nothing to weigh them by.",
        },
        new(RouterKind.Task, "by the label of the text, with a learned gate per label", "Kudugunta et al. 2021", HasLogits: false)
        {
            RoutesByLabel = true,
            Remarks = "Chooses and gates as top-k does, on the logits of the label.",
        },
        new(RouterKind.Soft, "every expert on every token: the dense mixture that sparse ones are measured by", "Jacobs et al. 1991",
            Active: int.MaxValue, Drops: false),
        new(RouterKind.Hierarchical, "a gate over groups of experts, a gate inside each", "Shazeer et al. 2017, appendix B")
        {
            Remarks = "A level with one choice (one group, or one expert per group) takes p over all of that level, also with "
                + "`moe.renormalize=true`: renormalised it would be 1, and that level would learn nothing.",
        },
        new(RouterKind.DeepSeek, "sigmoid scores, chosen with a bias that follows the load; groups; no balance loss needed",
            "DeepSeek-V3 (DeepSeek-AI 2024), Wang et al. 2024")
        {
            Remarks = "Gates are the chosen scores divided by their sum, or with `moe.renormalize=false` as they are, times "
                + "`moe.routed_scaling`. With K = 1 divided scores are 1: training from nothing refuses that. A group's score is the sum "
                + "of its two best, bias included; an expert of another group is never chosen, whatever its score.",
        },
        new(RouterKind.Random, "experts at random, equal gates", "baseline", HasProbabilities: false, HasLogits: false)
        {
            Remarks = "Training draws at every step; evaluation and generation draw once per position.",
        },
        new(RouterKind.Uniform, "experts in turn by position, equal gates", "baseline", HasProbabilities: false, HasLogits: false)
        {
            Remarks = "The position is that in the window, not in the text.",
        },
    ];

    /// <summary>Whether it must know the label of every token.</summary>
    public bool RoutesByLabel { get; init; }

    /// <summary>What its formula leaves open and how it is settled here, in Markdown; empty where nothing is open.</summary>
    public string Remarks { get; init; } = "";

    /// <summary>The name in a configuration.</summary>
    public string Name => ConfigNodes.NameOf(Kind);

    /// <summary>The traits of a router.</summary>
    public static RouterTraits Of(RouterKind kind) => All.First(traits => traits.Kind == kind);
}
