using TinyMoE.Configuration;
using TinyMoE.Families.Config;

namespace TinyMoE.Families;

/// <summary>
/// OLMoE (Muennighoff et al. 2024): experts in every layer, queries and keys normed whole, gates not divided by their sum.
/// </summary>
internal sealed class Olmoe : Family
{
    /// <inheritdoc/>
    public override string Name => "olmoe";

    /// <inheritdoc/>
    public override string Architecture => "OlmoeForCausalLM";

    internal override IReadOnlyList<ConfigRule> Rules { get; } =
    [
        .. CommonRules.Decoder(
            width: 2048, layers: 16, heads: 16, context: 4096, epsilon: 1e-5, hidden: null, kvHeads: 16, vocabulary: 50304),
        ConfigRule.Neutral("head_dim"),
        CommonRules.AttentionBias("attention_bias", fallback: false, ofOutput: true),
        CommonRules.Fixed("attention.query_key_norm", "whole"),
        new(["clip_qkv"], "`attention.clip`, null 0")
        {
            Read = (file, keys) =>
            {
                double clip = file.Number("clip_qkv", 0);
                if (file.Has("clip_qkv") && clip <= 0)
                    throw file.Bad("clip_qkv", "a number above 0, or null");
                keys["attention.clip"] = (float)clip;
            },
            Write = (keys, file) => file["clip_qkv"] = keys.Number("attention.clip") is > 0 and float clip ? clip : null,
        },
        .. CommonRules.Experts(count: 64, active: 8, "num_experts", "num_local_experts"),
        ConfigRule.Same("intermediate_size", "moe.hidden", 2048),
        CommonRules.Renormalize(fallback: false),
        RopeRules.Of(theta: 10000),
    ];

    internal override void AddNames(NameTable names, RunConfig config)
    {
        names.AddDecoder();
        names.AddQueryKeyNorm();
        names.AddInLayer("moe.router", "mlp.gate");
        names.AddExperts("mlp.experts");
    }
}
