using TinyMoE.Configuration;
using TinyMoE.Families.Config;

namespace TinyMoE.Families;

/// <summary>Qwen1.5-MoE and Qwen2-MoE (Yang et al. 2024): fine experts beside a shared one with a gate of its own.</summary>
internal sealed class Qwen2Moe : Family
{
    /// <inheritdoc/>
    public override string Name => "qwen2_moe";

    /// <inheritdoc/>
    public override string Architecture => "Qwen2MoeForCausalLM";

    internal override IReadOnlyList<ConfigRule> Rules { get; } =
    [
        .. CommonRules.Decoder(
            width: 2048, layers: 24, heads: 16, context: 32768, epsilon: 1e-6, hidden: 5632, kvHeads: 16, vocabulary: 151936),
        CommonRules.HeadSize(),
        CommonRules.AttentionBias("qkv_bias", fallback: true, ofOutput: false),
        CommonRules.QwenWindow(fallback: 4096, firstFallback: 28),
        .. CommonRules.Experts(count: 60, active: 4, "num_experts", "num_local_experts"),
        ConfigRule.Same("moe_intermediate_size", "moe.hidden", 1408),
        ConfigRule.Same("shared_expert_intermediate_size", "moe.shared_hidden", 5632),
        CommonRules.Fixed("moe.shared_experts", 1),
        CommonRules.Fixed("moe.shared_gate", true),
        CommonRules.Renormalize(fallback: false),
        CommonRules.SparseLayers(),
        RopeRules.Of(theta: 10000),
    ];

    internal override void AddNames(NameTable names, RunConfig config)
    {
        names.AddDecoder();
        names.AddNetwork("feed_forward", "mlp");
        names.AddInLayer("moe.router", "mlp.gate");
        names.AddExperts("mlp.experts");
        names.AddNetwork("moe.shared_experts", "mlp.shared_expert");
        names.AddInLayer("moe.shared_gate", "mlp.shared_expert_gate");
    }
}
