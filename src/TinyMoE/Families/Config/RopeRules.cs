using System.Text.Json.Nodes;

namespace TinyMoE.Families.Config;

/// <summary>
/// Rotary positions as config.json says them: <c>rope_parameters</c> with all of it, or <c>rope_theta</c> and <c>rope_scaling</c>, whose
/// type is under <c>rope_type</c> or <c>type</c> (transformers' modeling_rope_utils).
/// </summary>
internal static class RopeRules
{
    private const string Ours = "`attention.rope_theta`, `attention.rope_scaling` and what belongs to it, `attention.rope_size`";

    /// <summary>The rule of a family with this base where the file has none.</summary>
    /// <param name="theta">The base of a file without one.</param>
    /// <param name="scaling">The scaling of a file that says nothing of it; null: none.</param>
    /// <param name="share">The share of a head that is turned, where the file does not say.</param>
    public static ConfigRule Of(double theta, Func<JsonObject>? scaling = null, double share = 1) =>
        new(["rope_parameters", "rope_scaling", "rope_theta", "partial_rotary_factor"], Ours)
        {
            Read = (file, keys) => Read(file, keys, theta, scaling, share),
            Write = (keys, file) => Write(keys, file, share),
        };

    private static void Read(FamilyConfig file, OurKeys keys, double theta, Func<JsonObject>? fallback, double usualShare)
    {
        bool saysNothing = !file.Names.Contains("rope_parameters") && !file.Names.Contains("rope_scaling");
        FamilyConfig? old = file.Object("rope_scaling");
        FamilyConfig? rope = file.Object("rope_parameters") ?? old;
        if (rope is null && saysNothing && fallback is not null)
            rope = FamilyConfig.Of(fallback(), $"{file.Path}, rope_scaling");
        double outer = file.Number("rope_theta", theta), outerShare = file.Number("partial_rotary_factor", usualShare);
        keys["attention.rope_theta"] = (float)(rope?.Number("rope_theta", outer) ?? outer);
        double share = rope?.Number("partial_rotary_factor", outerShare) ?? outerShare;
        if (share is <= 0 or > 1)
            throw (rope ?? file).Bad("partial_rotary_factor", "a number above 0 and at most 1");
        if (share < 1)
            keys["attention.rope_size"] = (int)(keys.Whole("attention.head_size") * share);
        if (rope is null)
            return;

        string type = rope.Text("rope_type", rope.Text("type", "default"));
        _ = rope.Node("type");
        switch (type)
        {
            case "default":
                break;
            case "linear":
                Set("linear", ("attention.rope_factor", "factor", null));
                break;
            case "dynamic":
                Set("dynamic", ("attention.rope_factor", "factor", null));
                keys["attention.rope_original_context"] = rope.Whole("original_max_position_embeddings", keys.Whole("model.context"), 1);
                break;
            case "llama3":
                Set("llama3", ("attention.rope_factor", "factor", 8), ("attention.rope_low_frequency", "low_freq_factor", 1),
                    ("attention.rope_high_frequency", "high_freq_factor", 4));
                keys["attention.rope_original_context"] = rope.Whole("original_max_position_embeddings", 8192, 1);
                break;
            case "yarn":
                keys["attention.rope_original_context"] =
                    rope.Whole("original_max_position_embeddings", keys.Whole("model.context"), 1);
                double derived = keys.Whole("model.context") / (double)keys.Whole("attention.rope_original_context");
                Set("yarn", ("attention.rope_factor", "factor", derived), ("attention.rope_beta_fast", "beta_fast", 32),
                    ("attention.rope_beta_slow", "beta_slow", 1), ("attention.rope_attention_factor", "attention_factor", 0),
                    ("attention.rope_mscale", "mscale", 0), ("attention.rope_mscale_all_dim", "mscale_all_dim", 0));
                keys["attention.rope_truncate"] = rope.Flag("truncate", true);
                break;
            default:
                throw rope.Refused(rope.Has("rope_type") ? "rope_type" : "type", "known are default, linear, dynamic, llama3 and yarn");
        }

        (string Name, JsonNode? Value) unknown = rope.Unread.FirstOrDefault(pair => pair.Value is not null);
        if (unknown.Name is not null)
            throw new TinyMoEException($"{rope.Path}: {Files.Excerpt.Of(unknown.Name)} is not known of rotary positions of type {type}");

        void Set(string scaling, params (string Key, string Name, double? Fallback)[] numbers)
        {
            keys["attention.rope_scaling"] = scaling;
            foreach ((string key, string name, double? number) in numbers)
                keys[key] = (float)rope.Number(name, number);
        }
    }

    private static void Write(OurKeys keys, JsonObject file, double usualShare)
    {
        file["rope_theta"] = keys["attention.rope_theta"].DeepClone();
        int size = keys.Whole("attention.rope_size"), head = keys.Whole("attention.head_size");
        double share = size > 0 && keys.Text("attention.kind") != "latent" ? (double)size / head : 1;
        if (share != usualShare)
            file["partial_rotary_factor"] = share;
        string type = keys.Text("attention.rope_scaling");
        if (type == "none")
        {
            file["rope_scaling"] = null;
            return;
        }

        JsonObject rope = new() { ["rope_type"] = type };
        Put("factor", "rope_factor");
        if (type == "llama3")
        {
            Put("low_freq_factor", "rope_low_frequency");
            Put("high_freq_factor", "rope_high_frequency");
        }

        if (type is "llama3" or "yarn" or "dynamic")
            Put("original_max_position_embeddings", "rope_original_context");
        if (type == "yarn")
        {
            Put("beta_fast", "rope_beta_fast");
            Put("beta_slow", "rope_beta_slow");
            Put("truncate", "rope_truncate");
            foreach ((string name, string key) in new[] { ("attention_factor", "rope_attention_factor"), ("mscale", "rope_mscale"),
                ("mscale_all_dim", "rope_mscale_all_dim") })
            {
                if (keys.Number($"attention.{key}") != 0)
                    Put(name, key);
            }
        }

        file["rope_scaling"] = rope;

        void Put(string name, string key) => rope[name] = keys[$"attention.{key}"].DeepClone();
    }
}
