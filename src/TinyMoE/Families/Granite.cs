using TinyMoE.Configuration;
using TinyMoE.Families.Config;

namespace TinyMoE.Families;

/// <summary>Granite 3 (IBM 2024): Llama with four multipliers.</summary>
internal sealed class Granite : Family
{
    /// <inheritdoc/>
    public override string Name => "granite";

    /// <inheritdoc/>
    public override string Architecture => "GraniteForCausalLM";

    internal override IReadOnlyList<ConfigRule> Rules { get; } =
    [
        .. CommonRules.Decoder(width: 4096, layers: 32, heads: 32, context: 2048, epsilon: 1e-6, hidden: 11008),
        CommonRules.HeadSize(),
        CommonRules.AttentionBias("attention_bias", fallback: false, ofOutput: true),
        .. CommonRules.Multipliers(),
        CommonRules.FeedForwardBias(),
        RopeRules.Of(theta: 10000),
    ];

    internal override void AddNames(NameTable names, RunConfig config)
    {
        names.AddDecoder();
        names.AddNetwork("feed_forward", "mlp");
    }
}
