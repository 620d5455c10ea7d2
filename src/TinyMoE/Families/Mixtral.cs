using TinyMoE.Configuration;
using TinyMoE.Families.Config;

namespace TinyMoE.Families;

/// <summary>Mixtral (Jiang et al. 2024): Mistral with experts in every layer.</summary>
internal sealed class Mixtral : Family
{
    /// <inheritdoc/>
    public override string Name => "mixtral";

    /// <inheritdoc/>
    public override string Architecture => "MixtralForCausalLM";

    internal override int Preference => 1;

    internal override IReadOnlyList<ConfigRule> Rules { get; } =
    [
        .. CommonRules.Decoder(width: 4096, layers: 32, heads: 32, context: 131072, epsilon: 1e-5, hidden: null, kvHeads: 8),
        CommonRules.HeadSize(),
        CommonRules.Window(fallback: null),
        .. CommonRules.Experts(count: 8, active: 2, "num_local_experts", "num_experts"),
        ConfigRule.Same("intermediate_size", "moe.hidden", 14336),
        CommonRules.Fixed("moe.renormalize", true),
        RopeRules.Of(theta: 1e6),
    ];

    internal override void AddNames(NameTable names, RunConfig config)
    {
        names.AddDecoder();
        names.AddInLayer("moe.router.weight", [new("block_sparse_moe.gate.weight"), new("mlp.gate.weight")]);
        names.AddExperts("block_sparse_moe.experts", gate: "w1", up: "w3", down: "w2");
    }
}
