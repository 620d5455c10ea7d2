using System.Text.Json.Nodes;
using TinyMoE.Configuration;

namespace TinyMoE.Families.Config;

/// <summary>Rules that most families share.</summary>
internal static class CommonRules
{
    /// <summary>
    /// Sizes, norms and heads of a decoder as Llama's, with the values that a missing key means. <paramref name="hidden"/>: of dense
    /// layers; null where another rule reads intermediate_size. <paramref name="kvHeads"/>: 0, as many as heads.
    /// </summary>
    public static IEnumerable<ConfigRule> Decoder(
        int width, int layers, int heads, int context, double epsilon, int? hidden, int kvHeads = 0, int vocabulary = 32000)
    {
        yield return ConfigRule.Same("vocab_size", "model.vocabulary", vocabulary);
        yield return ConfigRule.Same("hidden_size", "model.width", width);
        yield return ConfigRule.Same("num_hidden_layers", "model.layers", layers);
        if (hidden is { } size)
            yield return ConfigRule.Same("intermediate_size", "model.hidden", size);
        yield return ConfigRule.Same("max_position_embeddings", "model.context", context);
        yield return ConfigRule.Same("rms_norm_eps", "model.norm_epsilon", (float)epsilon);
        yield return ConfigRule.Same("tie_word_embeddings", "model.tie_embeddings", false);
        yield return ConfigRule.Only("hidden_act", "silu", "`model.feed_forward` swiglu");
        yield return ConfigRule.Same("num_attention_heads", "attention.heads", heads);
        yield return KvHeads(kvHeads);
    }

    /// <summary>Key and value heads; <paramref name="fallback"/> 0: as many as heads.</summary>
    public static ConfigRule KvHeads(int fallback = 0) => new(["num_key_value_heads"], "`attention.kv_heads`")
    {
        Read = (file, keys) => keys["attention.kv_heads"] =
            file.Whole("num_key_value_heads", fallback == 0 ? keys.Whole("attention.heads") : fallback, least: 1),
        Write = (keys, file) => file["num_key_value_heads"] = keys.Whole("attention.kv_heads"),
    };

    /// <summary>Size of a head; <paramref name="fallback"/> 0: width/heads, rounded down.</summary>
    public static ConfigRule HeadSize(int fallback = 0) => new(["head_dim"], "`attention.head_size`")
    {
        Read = (file, keys) =>
        {
            int heads = keys.Whole("attention.heads");
            if (heads < 1)
                throw file.Bad("num_attention_heads", "a whole number, at least 1");
            keys["attention.head_size"] =
                file.Whole("head_dim", fallback == 0 ? Math.Max(1, keys.Whole("model.width") / heads) : fallback, least: 1);
        },
        Write = (keys, file) => file["head_dim"] = keys.Whole("attention.head_size"),
    };

    /// <summary>Biases of queries, keys and values; <paramref name="ofOutput"/>: and of the output projection.</summary>
    public static ConfigRule AttentionBias(string name, bool fallback, bool ofOutput) =>
        new([name], ofOutput ? "`attention.biases` and `attention.output_bias`" : "`attention.biases`, without `attention.output_bias`")
        {
            Read = (file, keys) =>
            {
                bool biases = file.Flag(name, fallback);
                keys["attention.biases"] = biases;
                keys["attention.output_bias"] = biases && ofOutput ? "true" : "false";
            },
            Write = (keys, file) => file[name] = keys.Flag("attention.biases"),
        };

    /// <summary>Biases of the feed-forward of dense layers.</summary>
    public static ConfigRule FeedForwardBias() => new(["mlp_bias"], "`model.feed_forward_biases`")
    {
        Read = (file, keys) => keys["model.feed_forward_biases"] = file.Flag("mlp_bias", false) ? "true" : "false",
        Write = (keys, file) => file["mlp_bias"] = keys.Text("model.feed_forward_biases") == "true",
    };

    /// <summary>A window for every layer; null: none. <paramref name="fallback"/> is what a missing key means.</summary>
    public static ConfigRule Window(int? fallback) => new(["sliding_window"], "`attention.window` of all layers")
    {
        Read = (file, keys) =>
        {
            bool isMissing = !file.Names.Contains("sliding_window");
            keys["attention.window"] = isMissing ? fallback ?? 0 : file.Whole("sliding_window", 0, least: 1);
        },
        Write = (keys, file) => file["sliding_window"] = keys.Window(0) == 0 ? null : keys.Window(0),
    };

    /// <summary>
    /// Qwen's windows: with use_sliding_window the layers from max_window_layers on have one; layer_types, where there, says it layer by
    /// layer.
    /// </summary>
    public static ConfigRule QwenWindow(int fallback, int firstFallback) =>
        new(["use_sliding_window", "sliding_window", "max_window_layers", "layer_types"], "`attention.window` by layer")
        {
            Read = (file, keys) =>
            {
                bool uses = file.Flag("use_sliding_window", false);
                bool isMissing = !file.Names.Contains("sliding_window");
                int window = isMissing ? fallback : file.Whole("sliding_window", 0), first = file.Whole("max_window_layers", firstFallback);
                SetWindows(file, keys, uses ? window : 0, layer => layer >= first);
            },
            Write = (keys, file) =>
            {
                int[] windows = [.. Enumerable.Range(0, keys.Whole("model.layers")).Select(keys.Window)];
                int first = Array.FindIndex(windows, window => window > 0);
                file["use_sliding_window"] = first >= 0;
                file["sliding_window"] = first < 0 ? null : windows[first];
                file["max_window_layers"] = first < 0 ? windows.Length : first;
            },
        };

    /// <summary>Windows by layer_types; where there are none, of the layers that <paramref name="slides"/> says.</summary>
    public static void SetWindows(FamilyConfig file, OurKeys keys, int window, Predicate<int> slides)
    {
        int layers = keys.Whole("model.layers");
        IReadOnlyList<string> types = file.Texts("layer_types");
        if (types.Count > 0 && types.Count != layers)
            throw file.Bad("layer_types", $"an entry per layer, {layers}");
        List<int> windows = [];
        for (int layer = 0; layer < Math.Min(layers, 10_000); layer++)
        {
            bool isSliding = types.Count == 0 ? slides(layer) : types[layer] switch
            {
                "sliding_attention" => true,
                "full_attention" => false,
                string other => throw new TinyMoEException(
                    $"{file.Path}: layer_types has '{Files.Excerpt.Of(other)}'; known: full_attention, sliding_attention"),
            };
            if (isSliding && types.Count > 0 && window == 0)
                throw file.Bad("sliding_window", "a whole number, at least 1, for the layers that layer_types says slide");
            windows.Add(isSliding ? window : 0);
        }

        bool isOne = windows.Distinct().Count() < 2;
        keys["attention.window"] = isOne ? windows.FirstOrDefault() : new JsonArray([.. windows.Select(size => (JsonNode)size)]);
    }

    /// <summary>Softmax router: experts, how many a token has, their hidden size, whether gates are divided by their sum.</summary>
    public static IEnumerable<ConfigRule> Experts(int count, int active, string countName, string? countSynonym = null)
    {
        yield return new ConfigRule([], "") { Read = (_, keys) => keys["moe.router"] = RouterTraits.Of(RouterKind.TopK).Name };
        yield return ConfigRule.Same(countName, "moe.experts", count, countSynonym);
        yield return ConfigRule.Same("num_experts_per_tok", "moe.active", active);
    }

    /// <summary>Whether gates are divided by their sum.</summary>
    public static ConfigRule Renormalize(bool fallback) => ConfigRule.Same("norm_topk_prob", "moe.renormalize", fallback);

    /// <summary>A key of ours that the family fixes.</summary>
    public static ConfigRule Fixed(string ours, JsonNode value) =>
        new([], "") { Read = (_, keys) => keys[ours] = value.DeepClone() };

    /// <summary>Qwen's choice of layers with experts: every so many, and not those of a list.</summary>
    public static ConfigRule SparseLayers() =>
        new(["decoder_sparse_step", "mlp_only_layers"], "`moe.first_dense`, `moe.every` and `moe.dense_layers`")
        {
            Read = (file, keys) =>
            {
                int step = file.Whole("decoder_sparse_step", 1, least: 1);
                keys["moe.first_dense"] = step - 1;
                keys["moe.every"] = step;
                keys["moe.dense_layers"] = new JsonArray([.. file.Wholes("mlp_only_layers").Distinct().Order().Select(l => (JsonNode)l)]);
            },
            Write = (keys, file) =>
            {
                MoeConfig moe = keys.ToConfig().Moe;
                file["decoder_sparse_step"] = 1;
                file["mlp_only_layers"] = new JsonArray(
                    [.. Enumerable.Range(0, keys.Whole("model.layers")).Where(layer => !moe.InLayer(layer)).Select(l => (JsonNode)l)]);
            },
        };

    /// <summary>Granite's four multipliers; that of attention is the scale of scores itself.</summary>
    public static IEnumerable<ConfigRule> Multipliers()
    {
        yield return ConfigRule.Same("embedding_multiplier", "model.embedding_multiplier", 1f);
        yield return ConfigRule.Same("residual_multiplier", "model.residual_multiplier", 1f);
        yield return ConfigRule.Same("logits_scaling", "model.logits_scaling", 1f);
        yield return new(["attention_multiplier"], "`attention.scale`")
        {
            Read = (file, keys) => keys["attention.scale"] = (float)file.Number("attention_multiplier", 1),
            Write = (keys, file) => file["attention_multiplier"] = keys.Number("attention.scale") is > 0 and float scale
                ? scale : (float)(1 / Math.Sqrt(keys.Whole("attention.head_size"))),
        };
    }

    /// <summary>Qwen3-MoE's window, which all layers have or none.</summary>
    public static ConfigRule Qwen3MoeWindow() =>
        new(["use_sliding_window", "sliding_window", "max_window_layers"], "`attention.window` of all layers")
        {
            Read = (file, keys) =>
            {
                int window = file.Names.Contains("sliding_window") ? file.Whole("sliding_window", 0) : 4096;
                keys["attention.window"] = file.Flag("use_sliding_window", false) ? window : 0;
                _ = file.Whole("max_window_layers", 0);
            },
            Write = (keys, file) =>
            {
                file["use_sliding_window"] = keys.Window(0) > 0;
                file["sliding_window"] = keys.Window(0) == 0 ? null : keys.Window(0);
            },
        };
}
