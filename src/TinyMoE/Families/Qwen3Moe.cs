using TinyMoE.Configuration;
using TinyMoE.Families.Config;

namespace TinyMoE.Families;

/// <summary>Qwen3-MoE (Yang et al. 2025): fine experts, no shared one, queries and keys normed head by head.</summary>
internal sealed class Qwen3Moe : Family
{
    /// <inheritdoc/>
    public override string Name => "qwen3_moe";

    /// <inheritdoc/>
    public override string Architecture => "Qwen3MoeForCausalLM";

    internal override IReadOnlyList<ConfigRule> Rules { get; } =
    [
        .. CommonRules.Decoder(
            width: 2048, layers: 24, heads: 32, context: 32768, epsilon: 1e-6, hidden: 6144, kvHeads: 4, vocabulary: 151936),
        CommonRules.HeadSize(),
        CommonRules.AttentionBias("attention_bias", fallback: false, ofOutput: true),
        CommonRules.Fixed("attention.query_key_norm", "per-head"),
        CommonRules.Qwen3MoeWindow(),
        .. CommonRules.Experts(count: 128, active: 8, "num_experts", "num_local_experts"),
        ConfigRule.Same("moe_intermediate_size", "moe.hidden", 768),
        CommonRules.Renormalize(fallback: false),
        CommonRules.SparseLayers(),
        RopeRules.Of(theta: 10000),
    ];

    internal override void AddNames(NameTable names, RunConfig config)
    {
        names.AddDecoder();
        names.AddQueryKeyNorm();
        names.AddNetwork("feed_forward", "mlp");
        names.AddInLayer("moe.router", "mlp.gate");
        names.AddExperts("mlp.experts");
    }
}
