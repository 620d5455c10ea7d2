using System.Text.Json.Nodes;
using TinyMoE.Configuration;

namespace TinyMoE.Families.Config;

/// <summary>config.json of others to our configuration and back.</summary>
internal static class FamilyConfigs
{
    /// <summary>Keys of a model that act in training only, so that no file of others has to say them.</summary>
    private static readonly HashSet<string> OfTraining =
    [
        "model.dropout", "model.init", "model.init_scale", "attention.gate_dropout", "moe.capacity_factor", "moe.min_capacity", "moe.drop",
        "moe.jitter", "moe.logit_noise", "moe.noise_epsilon", "moe.expert_dropout", "moe.gate_dropout", "moe.bias_rate", "moe.hash",
        "moe.tasks", "moe.choice_group", "moe.allow_non_causal", "moe.balance_loss", "moe.sequence_loss", "moe.gshard_loss", "moe.z_loss",
        "moe.importance_loss", "moe.load_loss", "moe.layer_losses", "moe.expert_precision", "moe.router_precision",
    ];

    /// <summary>The family and the configuration that a file describes.</summary>
    /// <exception cref="TinyMoEException">The family is not known, a value cannot be, or a key may change the computation.</exception>
    public static (Family Family, RunConfig Config, Quantization Packing, IReadOnlyList<string> Notes) Read(FamilyConfig file)
    {
        string type = file.Text("model_type");
        Family family = Family.All.FirstOrDefault(family => family.Name == type) ?? throw new TinyMoEException(
            $"{file.Path}: model_type={Files.Excerpt.Of(type)} is not known; known: {string.Join(", ", Family.All.Select(f => f.Name))}");
        OurKeys keys = OurKeys.Of(Empty);
        foreach (ConfigRule rule in family.Rules)
            rule.Read(file, keys);
        if (keys.Whole("model.vocabulary") == 0) // which means in a run: as the tokenizer has
            throw file.Bad("vocab_size", "a whole number, at least 1");
        Quantization packing = Quantization.Read(file);
        IReadOnlyList<string> notes = [.. Descriptive.Check(file, family.Name)];
        RunConfig config;
        try
        {
            config = keys.ToConfig();
            config.ValidateUse();
        }
        catch (TinyMoEException e)
        {
            throw new TinyMoEException($"{file.Path}: {e.Message}", e);
        }

        return (family, config, packing, notes);
    }

    /// <summary>What a family says of a model.</summary>
    /// <exception cref="TinyMoEException">It cannot say all of it; the message names the keys.</exception>
    public static JsonObject Write(Family family, RunConfig config)
    {
        JsonObject file = Said(family, config);
        IReadOnlyList<(string Key, string Said, string Wanted)> differences = Differences(family, config, file);
        return differences.Count == 0 ? file : throw Refusal(family, differences);
    }

    /// <summary>The family that says a model: the first that says all of it, dense and plain ones before others.</summary>
    /// <exception cref="TinyMoEException">None does; the message names what keeps the nearest from it.</exception>
    public static Family Choose(RunConfig config)
    {
        (Family Family, IReadOnlyList<(string, string, string)> Differences)? nearest = null;
        foreach (Family family in Family.All.OrderBy(family => family.Preference))
        {
            IReadOnlyList<(string, string, string)> differences;
            try
            {
                differences = Differences(family, config, Said(family, config));
            }
            catch (TinyMoEException)
            {
                continue; // what it would write, it could not read
            }

            if (differences.Count == 0)
                return family;
            if (nearest is null || differences.Count < nearest.Value.Differences.Count)
                nearest = (family, differences);
        }

        throw nearest is null ? new TinyMoEException("no family of Hugging Face's can say this model")
            : Refusal(nearest.Value.Family, nearest.Value.Differences);
    }

    /// <summary>A model before any rule: nothing special, no experts, as little training as there can be.</summary>
    private static RunConfig Empty => new()
    {
        Model = new ModelConfig { Norm = NormKind.Rms, Positions = PositionKind.Rope, FeedForward = FeedForwardKind.SwiGlu },
        Moe = new MoeConfig { Experts = 0, Router = RouterKind.TopK },
        Train = new TrainConfig { Batch = 1, Accumulation = 1 },
        Data = new DataConfig { Tokenizer = TokenizerKind.Bpe },
    };

    private static JsonObject Said(Family family, RunConfig config)
    {
        JsonObject file = new()
        {
            ["architectures"] = new JsonArray(family.Architecture),
            ["model_type"] = family.Name,
        };
        OurKeys keys = OurKeys.Of(Canonical(config));
        foreach (ConfigRule rule in family.Rules)
            rule.Write?.Invoke(keys, file);
        return file;
    }

    /// <summary>As a file has it: numbers that were put in as whole ones are read as any number.</summary>
    private static JsonObject Reread(JsonObject file) => JsonNode.Parse(file.ToJsonString())!.AsObject();

    private static List<(string Key, string Said, string Wanted)> Differences(Family family, RunConfig config, JsonObject file)
    {
        (_, RunConfig said, _, _) = Read(FamilyConfig.Of(Reread(file), "config.json"));
        return
        [
            .. ConfigKeys.Differences(Canonical(said), Canonical(config)).Where(difference =>
                !OfTraining.Contains(difference.Key) && difference.Key.Split('.')[0] is "model" or "attention" or "moe"),
        ];
    }

    private static TinyMoEException Refusal(Family family, IReadOnlyList<(string Key, string Said, string Wanted)> differences)
    {
        IEnumerable<string> keys = differences.Take(6).Select(key => $"{key.Key}={key.Wanted} (it has {key.Said})");
        string more = differences.Count > 6 ? $" and {differences.Count - 6} more" : "";
        return new TinyMoEException(
            $"Hugging Face's {family.Name} cannot say {string.Join(", ", keys)}{more}; a model without them can be exported");
    }

    /// <summary>
    /// A configuration with its defaults resolved, and with what has no effect at its default, so that two that compute the same are equal.
    /// </summary>
    private static RunConfig Canonical(RunConfig config)
    {
        OurKeys keys = OurKeys.Of(config), standard = OurKeys.Of(new RunConfig());
        int layers = config.Model.Layers, width = config.Model.Width;
        bool isLatent = config.Attention.Kind == AttentionKind.Latent;
        keys["model.hidden"] = config.Model.HiddenOrDefault;
        keys["attention.kv_heads"] = config.Attention.KvHeadsOrAll;
        keys["attention.head_size"] = config.Attention.HeadSizeOrDefault(width);
        if (config.Attention.Scale != 0 && Math.Abs(config.Attention.Scale * Math.Sqrt(keys.Whole("attention.head_size")) - 1) < 1e-6)
            keys["attention.scale"] = 0f;
        int[] windows = [.. Enumerable.Range(0, layers).Select(layer => config.Attention.Window[layer])];
        keys["attention.window"] = windows.Distinct().Count() == 1
            ? windows[0] : new JsonArray([.. windows.Select(window => (JsonNode)window)]);
        foreach (ConfigKey key in ConfigKeys.All)
        {
            string group = key.Group, path = key.Path;
            bool isIdle = (group == "moe" && config.Moe.Experts == 0 && path != "moe.experts")
                || (config.Attention.Kind != AttentionKind.SwitchHead && path is "attention.experts" or "attention.active")
                || (config.Attention.RopeScaling == RopeScaling.None && path.StartsWith("attention.rope_", StringComparison.Ordinal)
                    && path is not ("attention.rope_theta" or "attention.rope_size" or "attention.rope_interleaved"))
                || (!isLatent && path is "attention.query_rank" or "attention.latent_rank" or "attention.value_size")
                || (config.Model.FeedForward != FeedForwardKind.ClampedSwiGlu && path is "model.swiglu_limit" or "model.swiglu_alpha");
            if (isIdle)
                keys[path] = standard[path].DeepClone();
        }

        if (config.Attention.RopeSize == config.Attention.HeadSizeOrDefault(width) && !isLatent)
            keys["attention.rope_size"] = 0;
        keys["model.biases"] = false;
        keys["model.feed_forward_biases"] = config.Model.HasBias(config.Model.FeedForwardBiases) ? "true" : "false";
        keys["model.head_bias"] = config.Model.HasBias(config.Model.HeadBias) ? "true" : "false";
        keys["attention.output_bias"] = config.Attention.HasOutputBias(config.Model) ? "true" : "false";
        if (config.Moe.Experts == 0)
            return keys.ToConfig();

        keys["moe.hidden"] = config.Moe.HiddenOrDefault(width);
        keys["moe.expert_biases"] = config.Model.HasBias(config.Moe.ExpertBiases) ? "true" : "false";
        keys["moe.shared_hidden"] = config.Moe.SharedExperts == 0 ? 0 : (int)config.Moe.SharedHiddenOrDefault(width);
        keys["moe.shared_experts"] = config.Moe.SharedExperts == 0 ? 0 : 1;
        int[] dense = [.. Enumerable.Range(0, layers).Where(layer => !config.Moe.InLayer(layer))];
        (keys["moe.first_dense"], keys["moe.every"]) = (0, 1);
        keys["moe.dense_layers"] = new JsonArray([.. dense.Select(layer => (JsonNode)layer)]);
        if (dense.Length == 0 && config.Model.FeedForward != FeedForwardKind.Relu)
            keys["model.hidden"] = 4 * width; // no layer is dense
        return keys.ToConfig();
    }
}
