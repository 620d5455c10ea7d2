using TinyMoE.Configuration;
using TinyMoE.Families.Config;

namespace TinyMoE.Families;

/// <summary>Granite 3 MoE (IBM 2024): Granite with experts in every layer, fused.</summary>
internal sealed class GraniteMoe : Family
{
    /// <inheritdoc/>
    public override string Name => "granitemoe";

    /// <inheritdoc/>
    public override string Architecture => "GraniteMoeForCausalLM";

    internal override IReadOnlyList<ConfigRule> Rules { get; } =
    [
        .. CommonRules.Decoder(width: 4096, layers: 32, heads: 32, context: 2048, epsilon: 1e-6, hidden: null),
        CommonRules.HeadSize(),
        CommonRules.AttentionBias("attention_bias", fallback: false, ofOutput: true),
        .. CommonRules.Multipliers(),
        .. CommonRules.Experts(count: 8, active: 2, "num_local_experts", "num_experts"),
        ConfigRule.Same("intermediate_size", "moe.hidden", 11008),
        CommonRules.Fixed("moe.renormalize", true),
        RopeRules.Of(theta: 10000),
    ];

    internal override void AddNames(NameTable names, RunConfig config)
    {
        names.AddDecoder();
        names.AddInLayer("moe.router.weight", "block_sparse_moe.router.layer.weight");
        names.AddFused("moe.experts", "block_sparse_moe.input_linear.weight", "block_sparse_moe.output_linear.weight");
    }
}
