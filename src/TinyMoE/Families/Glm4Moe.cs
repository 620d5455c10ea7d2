using TinyMoE.Configuration;
using TinyMoE.Families.Config;

namespace TinyMoE.Families;

/// <summary>
/// GLM-4.5 (Zeng et al. 2025): DeepSeek-V3's experts and router with attention by heads; half of each head is turned, where its file says
/// nothing else.
/// </summary>
internal sealed class Glm4Moe : Family
{
    /// <inheritdoc/>
    public override string Name => "glm4_moe";

    /// <inheritdoc/>
    public override string Architecture => "Glm4MoeForCausalLM";

    internal override IReadOnlyList<ConfigRule> Rules { get; } =
    [
        .. CommonRules.Decoder(
            width: 4096, layers: 46, heads: 96, context: 131072, epsilon: 1e-5, hidden: 10944, kvHeads: 8, vocabulary: 151552),
        CommonRules.HeadSize(),
        CommonRules.AttentionBias("attention_bias", fallback: false, ofOutput: false),
        new(["use_qk_norm"], "`attention.query_key_norm` per-head or none")
        {
            Read = (file, keys) => keys["attention.query_key_norm"] = file.Flag("use_qk_norm", false) ? "per-head" : "none",
            Write = (keys, file) => file["use_qk_norm"] = keys.Text("attention.query_key_norm") == "per-head",
        },
        RopeRules.Of(theta: 10000, share: 0.5),
        .. LatentRules.Experts(count: 128, active: 8, hidden: 1408, shared: 1, firstDense: 1),
        CommonRules.Fixed("moe.router", RouterTraits.Of(RouterKind.DeepSeek).Name),
        ConfigRule.Same("routed_scaling_factor", "moe.routed_scaling", 1f),
        ConfigRule.Same("n_group", "moe.groups", 1),
        ConfigRule.Same("topk_group", "moe.active_groups", 1),
        CommonRules.Renormalize(fallback: true),
    ];

    internal override void AddNames(NameTable names, RunConfig config)
    {
        names.AddDecoder();
        names.AddQueryKeyNorm();
        names.AddNetwork("feed_forward", "mlp");
        names.AddInLayer("moe.router", "mlp.gate");
        names.AddInLayer("moe.router.correction", new NameTemplate("mlp.gate.e_score_correction_bias"));
        names.AddExperts("mlp.experts");
        names.AddNetwork("moe.shared_experts", "mlp.shared_experts");
    }
}
