namespace TinyMoE.Families.Config;

/// <summary>What DeepSeek's families share: latent attention, and which layers have experts.</summary>
internal static class LatentRules
{
    /// <summary>Ranks and sizes of latent attention (q_lora_rank null: queries by one matrix), and its biases.</summary>
    public static IEnumerable<ConfigRule> Attention(int queryRank)
    {
        yield return CommonRules.Fixed("attention.kind", "latent");
        yield return new(["q_lora_rank"], "`attention.query_rank`, null 0")
        {
            Read = (file, keys) => keys["attention.query_rank"] =
                file.Names.Contains("q_lora_rank") ? file.Whole("q_lora_rank", 0) : queryRank,
            Write = (keys, file) => file["q_lora_rank"] =
                keys.Whole("attention.query_rank") == 0 ? null : keys.Whole("attention.query_rank"),
        };
        yield return ConfigRule.Same("kv_lora_rank", "attention.latent_rank", 512);
        yield return ConfigRule.Same("qk_rope_head_dim", "attention.rope_size", 64);
        yield return new(["qk_nope_head_dim", "qk_head_dim", "head_dim"], "`attention.head_size` without `attention.rope_size`")
        {
            Read = (file, keys) =>
            {
                long size = (long)file.Whole("qk_nope_head_dim", 128) + keys.Whole("attention.rope_size");
                keys["attention.head_size"] = size <= int.MaxValue ? (int)size
                    : throw file.Bad("qk_nope_head_dim", $"a size that with qk_rope_head_dim is at most {int.MaxValue}");
                _ = (file.Node("qk_head_dim"), file.Node("head_dim"));
            },
            Write = (keys, file) =>
                file["qk_nope_head_dim"] = keys.Whole("attention.head_size") - keys.Whole("attention.rope_size"),
        };
        yield return ConfigRule.Same("v_head_dim", "attention.value_size", 128);
        yield return CommonRules.AttentionBias("attention_bias", fallback: false, ofOutput: true);
    }

    /// <summary>Rotary pairs are neighbours.</summary>
    public static ConfigRule Interleaved() => CommonRules.Fixed("attention.rope_interleaved", true);

    /// <summary>
    /// The scale of scores, which YaRN with mscale_all_dim raises: (n + r)^−½ · (0.1·mscale_all_dim·ln(factor) + 1)². After the rule of
    /// the rotary positions.
    /// </summary>
    public static ConfigRule Scale() => new([], "")
    {
        Read = (file, keys) =>
        {
            float all = keys.Number("attention.rope_mscale_all_dim"), factor = keys.Number("attention.rope_factor");
            if (keys.Text("attention.rope_scaling") == "none" || all == 0 || factor <= 1)
                return;
            double scale = (0.1 * all * Math.Log(factor)) + 1;
            float squared = (float)(scale * scale / Math.Sqrt(Math.Max(1, keys.Whole("attention.head_size"))));
            keys["attention.scale"] = float.IsFinite(squared) ? squared
                : throw file.Bad("rope_scaling", "an mscale_all_dim that leaves a finite scale of the scores");
        },
    };

    /// <summary>Experts, shared ones, and the first layers without any; moe_layer_freq, where there, takes every so manyth layer.</summary>
    public static IEnumerable<ConfigRule> Experts(int count, int? active, int hidden, int shared, int firstDense)
    {
        yield return new(["n_routed_experts"], "`moe.experts`, null 0")
        {
            Read = (file, keys) => keys["moe.experts"] =
                file.Names.Contains("n_routed_experts") ? file.Whole("n_routed_experts", 0) : count,
            Write = (keys, file) => file["n_routed_experts"] =
                keys.Whole("moe.experts") == 0 ? null : keys.Whole("moe.experts"),
        };
        yield return ConfigRule.Same("num_experts_per_tok", "moe.active", active);
        yield return ConfigRule.Same("moe_intermediate_size", "moe.hidden", hidden);
        yield return new(["n_shared_experts"], "`moe.shared_experts`, null 0")
        {
            Read = (file, keys) => keys["moe.shared_experts"] =
                file.Names.Contains("n_shared_experts") ? file.Whole("n_shared_experts", 0) : shared,
            Write = (keys, file) => file["n_shared_experts"] = keys.Whole("moe.shared_hidden") == 0 ? null
                : keys.Whole("moe.shared_hidden") / keys.Whole("moe.hidden"), // one that leaves a rest is not read back, and so refused
        };
        yield return new(["first_k_dense_replace", "moe_layer_freq"], "`moe.first_dense` and `moe.every`")
        {
            Read = (file, keys) =>
            {
                int every = file.Whole("moe_layer_freq", 1, least: 1), first = file.Whole("first_k_dense_replace", firstDense);
                keys["moe.every"] = every;
                keys["moe.first_dense"] = (first + every - 1) / every * every; // layers that the frequency divides, from first on
                if (first >= keys.Whole("model.layers")) // no layer has experts
                    keys["moe.experts"] = 0;
            },
            Write = (keys, file) =>
            {
                file["first_k_dense_replace"] = keys.ToConfig() is var config && config.Moe.Experts == 0 ? config.Model.Layers
                    : Enumerable.Range(0, config.Model.Layers).First(config.Moe.InLayer);
                file["moe_layer_freq"] = 1; // one that leaves out more is not read back as it was, and so refused
            },
        };
    }

    /// <summary>Names of a decoder with latent attention, and of experts beside shared ones.</summary>
    public static void AddNames(NameTable names)
    {
        names.AddDecoder();
        names.AddInLayer("attention.query_down", "self_attn.q_a_proj");
        names.AddInLayer("attention.query_down_norm", "self_attn.q_a_layernorm");
        names.AddInLayer("attention.query_up", "self_attn.q_b_proj");
        names.AddInLayer("attention.key_value_down", "self_attn.kv_a_proj_with_mqa");
        names.AddInLayer("attention.key_value_norm", "self_attn.kv_a_layernorm");
        names.AddInLayer("attention.key_value_up", "self_attn.kv_b_proj");
        names.AddNetwork("feed_forward", "mlp");
        names.AddInLayer("moe.router", "mlp.gate");
        names.AddExperts("mlp.experts");
        names.AddNetwork("moe.shared_experts", "mlp.shared_experts");
    }
}
