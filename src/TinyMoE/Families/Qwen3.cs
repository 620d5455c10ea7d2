using TinyMoE.Configuration;
using TinyMoE.Families.Config;

namespace TinyMoE.Families;

/// <summary>Qwen3 (Yang et al. 2025): Llama with a norm of queries and keys, head by head.</summary>
internal sealed class Qwen3 : Family
{
    /// <inheritdoc/>
    public override string Name => "qwen3";

    /// <inheritdoc/>
    public override string Architecture => "Qwen3ForCausalLM";

    internal override IReadOnlyList<ConfigRule> Rules { get; } =
    [
        .. CommonRules.Decoder(
            width: 4096, layers: 32, heads: 32, context: 32768, epsilon: 1e-6, hidden: 22016, kvHeads: 32, vocabulary: 151936),
        CommonRules.HeadSize(fallback: 128),
        CommonRules.AttentionBias("attention_bias", fallback: false, ofOutput: true),
        CommonRules.Fixed("attention.query_key_norm", "per-head"),
        CommonRules.QwenWindow(fallback: 4096, firstFallback: 28),
        RopeRules.Of(theta: 10000),
    ];

    internal override void AddNames(NameTable names, RunConfig config)
    {
        names.AddDecoder();
        names.AddQueryKeyNorm();
        names.AddNetwork("feed_forward", "mlp");
    }
}
