using TinyMoE.Configuration;
using TinyMoE.Families.Config;

namespace TinyMoE.Families;

/// <summary>
/// DeepSeek-V3 and R1 (DeepSeek-AI 2024): latent attention; fine experts by sigmoid, chosen with a bias that balances, beside shared ones.
/// Layers of multi-token prediction, which follow the decoder's, are left out.
/// </summary>
internal sealed class DeepSeekV3 : Family
{
    /// <inheritdoc/>
    public override string Name => "deepseek_v3";

    /// <inheritdoc/>
    public override string Architecture => "DeepseekV3ForCausalLM";

    internal override IReadOnlyList<ConfigRule> Rules { get; } =
    [
        .. CommonRules.Decoder(width: 7168, layers: 61, heads: 128, context: 4096, epsilon: 1e-6, hidden: 18432, vocabulary: 129280),
        .. LatentRules.Attention(queryRank: 1536),
        ConfigRule.Same("rope_interleave", "attention.rope_interleaved", true),
        RopeRules.Of(theta: 10000),
        LatentRules.Scale(),
        .. LatentRules.Experts(count: 256, active: 8, hidden: 2048, shared: 1, firstDense: 3),
        CommonRules.Fixed("moe.router", RouterTraits.Of(RouterKind.DeepSeek).Name),
        ConfigRule.Same("routed_scaling_factor", "moe.routed_scaling", 2.5f),
        ConfigRule.Same("n_group", "moe.groups", 8),
        ConfigRule.Same("topk_group", "moe.active_groups", 4),
        CommonRules.Renormalize(fallback: true),
        ConfigRule.Only("topk_method", "noaux_tc", "`moe.router` deepseek"),
        ConfigRule.Only("scoring_func", "sigmoid", "`moe.router` deepseek"),
    ];

    internal override void AddNames(NameTable names, RunConfig config)
    {
        LatentRules.AddNames(names);
        names.AddInLayer("moe.router.correction", new NameTemplate("mlp.gate.e_score_correction_bias"));
    }
}
