using TinyMoE.Configuration;
using TinyMoE.Families.Config;

namespace TinyMoE.Families;

/// <summary>
/// DeepSeek-V2 (DeepSeek-AI 2024): latent attention; fine experts by softmax, of the best groups where it says so, beside shared ones.
/// As transformers does, it leaves norm_topk_prob aside: gates are not divided by their sum.
/// </summary>
internal sealed class DeepSeekV2 : Family
{
    /// <inheritdoc/>
    public override string Name => "deepseek_v2";

    /// <inheritdoc/>
    public override string Architecture => "DeepseekV2ForCausalLM";

    internal override IReadOnlyList<ConfigRule> Rules { get; } =
    [
        .. CommonRules.Decoder(width: 4096, layers: 32, heads: 32, context: 2048, epsilon: 1e-6, hidden: 11008),
        .. LatentRules.Attention(queryRank: 1536),
        LatentRules.Interleaved(),
        RopeRules.Of(theta: 10000),
        LatentRules.Scale(),
        CommonRules.FeedForwardBias(),
        .. LatentRules.Experts(count: 64, active: null, hidden: 1407, shared: 2, firstDense: 0),
        ConfigRule.Same("routed_scaling_factor", "moe.routed_scaling", 1f),
        new(["topk_method", "n_group", "topk_group"], "`moe.groups` and `moe.active_groups`, groups by their largest probability")
        {
            Read = (file, keys) =>
            {
                string method = file.Text("topk_method", "greedy");
                if (method is not ("greedy" or "group_limited_greedy"))
                    throw file.Refused("topk_method", "known are greedy and group_limited_greedy");
                bool grouped = method == "group_limited_greedy";
                keys["moe.router"] = RouterTraits.Of(RouterKind.TopK).Name;
                keys["moe.renormalize"] = false;
                (int groups, int active) = (file.Whole("n_group", 1, least: 1), file.Whole("topk_group", 1, least: 1));
                keys["moe.groups"] = grouped ? groups : 1;
                keys["moe.active_groups"] = grouped ? active : 1;
            },
            Write = (keys, file) =>
            {
                bool grouped = keys.Whole("moe.groups") > 1;
                file["topk_method"] = grouped ? "group_limited_greedy" : "greedy";
                file["n_group"] = keys.Whole("moe.groups");
                file["topk_group"] = keys.Whole("moe.active_groups");
            },
        },
        new(["norm_topk_prob", "scoring_func"], "not read: `moe.renormalize` is false, scores are softmax")
        {
            Read = (file, keys) =>
            {
                _ = file.Flag("norm_topk_prob", false);
                if (file.Text("scoring_func", "softmax") != "softmax")
                    throw file.Refused("scoring_func", "only softmax is");
            },
            Write = (_, file) =>
            {
                file["norm_topk_prob"] = false;
                file["scoring_func"] = "softmax";
            },
        },
    ];

    internal override void AddNames(NameTable names, RunConfig config) => LatentRules.AddNames(names);
}
