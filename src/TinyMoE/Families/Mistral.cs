using TinyMoE.Configuration;
using TinyMoE.Families.Config;

namespace TinyMoE.Families;

/// <summary>Mistral 7B (Jiang et al. 2023): Llama with a sliding window.</summary>
internal sealed class Mistral : Family
{
    /// <inheritdoc/>
    public override string Name => "mistral";

    /// <inheritdoc/>
    public override string Architecture => "MistralForCausalLM";

    internal override IReadOnlyList<ConfigRule> Rules { get; } =
    [
        .. CommonRules.Decoder(width: 4096, layers: 32, heads: 32, context: 131072, epsilon: 1e-6, hidden: 14336, kvHeads: 8),
        CommonRules.HeadSize(),
        CommonRules.Window(fallback: 4096),
        RopeRules.Of(theta: 10000),
    ];

    internal override void AddNames(NameTable names, RunConfig config)
    {
        names.AddDecoder();
        names.AddNetwork("feed_forward", "mlp");
    }
}
