using TinyMoE.Configuration;
using TinyMoE.Families.Config;

namespace TinyMoE.Families;

/// <summary>Qwen2 and Qwen2.5 (Yang et al. 2024): Llama with biases of queries, keys and values.</summary>
internal sealed class Qwen2 : Family
{
    /// <inheritdoc/>
    public override string Name => "qwen2";

    /// <inheritdoc/>
    public override string Architecture => "Qwen2ForCausalLM";

    internal override IReadOnlyList<ConfigRule> Rules { get; } =
    [
        .. CommonRules.Decoder(
            width: 4096, layers: 32, heads: 32, context: 32768, epsilon: 1e-6, hidden: 22016, kvHeads: 32, vocabulary: 151936),
        CommonRules.HeadSize(),
        CommonRules.Fixed("attention.biases", true),
        CommonRules.Fixed("attention.output_bias", "false"),
        CommonRules.QwenWindow(fallback: 4096, firstFallback: 28),
        RopeRules.Of(theta: 10000),
    ];

    internal override void AddNames(NameTable names, RunConfig config)
    {
        names.AddDecoder();
        names.AddNetwork("feed_forward", "mlp");
    }
}
