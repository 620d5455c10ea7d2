using System.Text.Json.Nodes;
using TinyMoE.Configuration;
using TinyMoE.Families.Config;

namespace TinyMoE.Families;

/// <summary>
/// GPT-OSS (OpenAI 2025): sinks and a window in every other layer, biases everywhere, a clamped SwiGLU; experts fused, gate and up in
/// alternating columns, or in MXFP4.
/// </summary>
internal sealed class GptOss : Family
{
    /// <inheritdoc/>
    public override string Name => "gpt_oss";

    /// <inheritdoc/>
    public override string Architecture => "GptOssForCausalLM";

    internal override IReadOnlyList<ConfigRule> Rules { get; } =
    [
        .. CommonRules.Decoder(
            width: 2880, layers: 36, heads: 64, context: 131072, epsilon: 1e-5, hidden: null, kvHeads: 8, vocabulary: 201088),
        CommonRules.HeadSize(fallback: 64),
        CommonRules.AttentionBias("attention_bias", fallback: true, ofOutput: true),
        CommonRules.Fixed("attention.sinks", true),
        new(["sliding_window", "layer_types"], "`attention.window` by layer, from the first every other one")
        {
            Read = (file, keys) => CommonRules.SetWindows(
                file, keys, file.Names.Contains("sliding_window") ? file.Whole("sliding_window", 0) : 128, layer => layer % 2 == 0),
            Write = (keys, file) =>
            {
                int[] windows = [.. Enumerable.Range(0, keys.Whole("model.layers")).Select(keys.Window)];
                file["sliding_window"] = windows.Max() == 0 ? null : windows.Max();
                file["layer_types"] = new JsonArray(
                    [.. windows.Select(window => (JsonNode)(window > 0 ? "sliding_attention" : "full_attention"))]);
            },
        },
        .. CommonRules.Experts(count: 128, active: 4, "num_local_experts", "num_experts"),
        new(["experts_per_token", "initial_context_length"], "not read: num_experts_per_tok and the rotary scaling say it")
        {
            Read = (file, keys) =>
            {
                if (file.Whole("experts_per_token", keys.Whole("moe.active")) != keys.Whole("moe.active"))
                    throw file.Bad("experts_per_token", $"num_experts_per_tok, {keys.Whole("moe.active")}");
                _ = file.Whole("initial_context_length", 0);
            },
        },
        ConfigRule.Same("intermediate_size", "moe.hidden", 2880),
        CommonRules.Fixed("moe.renormalize", true),
        CommonRules.Fixed("moe.router_bias", true),
        CommonRules.Fixed("moe.expert_biases", "true"),
        CommonRules.Fixed("model.feed_forward", "clamped-swiglu"),
        ConfigRule.Same("swiglu_limit", "model.swiglu_limit", 7f),
        ConfigRule.Same("swiglu_alpha", "model.swiglu_alpha", 1.702f),
        RopeRules.Of(theta: 150000, () => new JsonObject
        {
            ["rope_type"] = "yarn",
            ["factor"] = 32.0,
            ["beta_fast"] = 32.0,
            ["beta_slow"] = 1.0,
            ["truncate"] = false,
            ["original_max_position_embeddings"] = 4096,
        }),
    ];

    internal override void AddNames(NameTable names, RunConfig config)
    {
        const string Experts = "mlp.experts";
        names.AddDecoder();
        names.AddInLayer("attention.sinks", new NameTemplate("self_attn.sinks"));
        names.AddInLayer("moe.router", "mlp.router");
        Fused("gate", Packing.EvenColumns, Packing.EvenRows);
        Fused("up", Packing.OddColumns, Packing.OddRows);
        names.AddInLayer(
            "moe.experts.down.weight", new NameTemplate($"{Experts}.down_proj", Packing.Transposed), new($"{Experts}.down_proj_blocks"));
        names.AddInLayer("moe.experts.down.bias", new NameTemplate($"{Experts}.down_proj_bias"));

        void Fused(string ours, Packing columns, Packing rows)
        {
            names.AddInLayer(
                $"moe.experts.{ours}.weight", new NameTemplate($"{Experts}.gate_up_proj", columns),
                new NameTemplate($"{Experts}.gate_up_proj_blocks", rows));
            names.AddInLayer($"moe.experts.{ours}.bias", new NameTemplate($"{Experts}.gate_up_proj_bias", rows));
        }
    }
}
