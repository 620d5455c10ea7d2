using TinyMoE.Configuration;
using TinyMoE.Families.Config;

namespace TinyMoE.Families;

/// <summary>Llama 2 and 3 (Touvron et al. 2023, Grattafiori et al. 2024), and what is built like them: TinyLlama, SmolLM.</summary>
internal sealed class Llama : Family
{
    /// <inheritdoc/>
    public override string Name => "llama";

    /// <inheritdoc/>
    public override string Architecture => "LlamaForCausalLM";

    internal override int Preference => 0;

    internal override IReadOnlyList<ConfigRule> Rules { get; } =
    [
        .. CommonRules.Decoder(width: 4096, layers: 32, heads: 32, context: 2048, epsilon: 1e-6, hidden: 11008),
        CommonRules.HeadSize(),
        CommonRules.AttentionBias("attention_bias", fallback: false, ofOutput: true),
        CommonRules.FeedForwardBias(),
        RopeRules.Of(theta: 10000),
    ];

    internal override void AddNames(NameTable names, RunConfig config)
    {
        names.AddDecoder();
        names.AddNetwork("feed_forward", "mlp");
    }
}
