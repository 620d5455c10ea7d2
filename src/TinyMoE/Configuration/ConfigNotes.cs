namespace TinyMoE.Configuration;

/// <summary>What a person should know of a configuration that works, but perhaps not as its keys make one believe.</summary>
public static class ConfigNotes
{
    /// <summary>One line each; none for most configurations.</summary>
    public static IReadOnlyList<string> Of(RunConfig config) =>
        [.. NeverWarm(config.Train), .. NothingToLearn(config.Moe), .. Untrained(config.Data), .. OfModel(config)];

    /// <summary>Those that also matter to who only uses the model.</summary>
    public static IReadOnlyList<string> OfModel(RunConfig config) =>
    [
        .. IgnoredOfModel(config.Model),
        .. config.Moe.Experts == 0 ? [] : NonCausal(config.Moe).Concat(Ignored(config.Moe)).Concat(DependsOnBatch(config)),
        .. Ignored(config.Attention, config.Model),
        .. Renamed(config.WrittenByFormerName),
    ];

    /// <summary>A warm-up that the run, or its schedule, is too short for.</summary>
    private static IEnumerable<string> NeverWarm(TrainConfig train)
    {
        bool isCut = train.ScheduleStepsOrAll < train.Steps; // the schedule ends before the run
        int steps = isCut ? train.ScheduleSteps : train.Steps;
        if (train.Warmup <= steps)
            yield break;
        (string what, string key) = isCut ? ("schedule", "train.schedule_steps") : ("run", "train.steps");
        float highest = (float)((double)train.LearningRate * steps / train.Warmup);
        yield return $"train.warmup={train.Warmup} is longer than the {steps} steps of the {what}: the learning rate rises to "
            + $"{highest:G3} at most, not to train.learning_rate={train.LearningRate}; set train.warmup below {steps}, or raise {key}";
    }

    /// <summary>A router that the text cannot teach: only a model whose weights are given has one.</summary>
    private static IEnumerable<string> NothingToLearn(MoeConfig moe)
    {
        if (moe.GatesAreConstant)
        {
            yield return "moe.renormalize=true with moe.active=1 makes every gate the same: the router learns nothing from the text, as "
                + "it would with moe.renormalize=false";
        }
    }

    /// <summary>Keys of a tokenizer that is trained, where none is.</summary>
    private static IEnumerable<string> Untrained(DataConfig data)
    {
        DataConfig standard = new();
        bool isOfFile = data.TokenizerFile.Length > 0;
        if (data.Tokenizer == TokenizerKind.Bpe && !isOfFile)
            yield break;
        List<string> idle = [];
        AddUnless(idle, "data.tokenizer_vocabulary", data.TokenizerVocabulary == standard.TokenizerVocabulary);
        AddUnless(idle, "data.tokenizer_style", data.TokenizerStyle == standard.TokenizerStyle);
        string why = isOfFile ? "data.tokenizer_file, whose tokenizer stays as it is"
            : $"data.tokenizer={data.Tokenizer.ToString().ToLowerInvariant()}";
        if (idle.Count > 0)
            yield return $"{Together(idle)} no effect with {why}";
    }

    private static IEnumerable<string> IgnoredOfModel(ModelConfig model)
    {
        ModelConfig standard = new();
        if (model.FeedForward == FeedForwardKind.ClampedSwiGlu)
            yield break;
        List<string> idle = [];
        AddUnless(idle, "model.swiglu_limit", model.SwigluLimit == standard.SwigluLimit);
        AddUnless(idle, "model.swiglu_alpha", model.SwigluAlpha == standard.SwigluAlpha);
        if (idle.Count > 0)
            yield return $"{Together(idle)} no effect without model.feed_forward=clamped-swiglu";
    }

    private static IEnumerable<string> NonCausal(MoeConfig moe)
    {
        string router = RouterTraits.Of(moe.Router).Name;
        if (moe.RouterLooksAhead)
            yield return $"not causal: moe.router={router} looks at later tokens, so these losses are not those of a language model";
        if (moe.CapacityLooksAhead)
        {
            yield return $"not causal: moe.eval_capacity_factor={moe.EvalCapacityFactor} makes what a token gets depend on others, "
                + "later ones too";
        }
    }

    private static IEnumerable<string> Ignored(MoeConfig moe)
    {
        RouterTraits router = RouterTraits.Of(moe.Router);
        if (router.Active is not null && moe.Active != moe.ActiveOfRouter)
            yield return $"moe.router={router.Name} gives a token {moe.ActiveOfRouter} of {moe.Experts} experts, whatever moe.active says";
        List<string> idle = [];
        if (!router.HasProbabilities)
        {
            AddWhere(idle, ("moe.balance_loss", moe.BalanceLoss), ("moe.sequence_loss", moe.SequenceLoss));
            AddWhere(idle, ("moe.gshard_loss", moe.GshardLoss), ("moe.z_loss", moe.ZLoss), ("moe.importance_loss", moe.ImportanceLoss));
        }

        if (!router.HasLogits)
            AddWhere(idle, ("moe.jitter", moe.Jitter), ("moe.logit_noise", moe.LogitNoise), ("moe.gate_dropout", moe.GateDropout));
        if (moe.Router == RouterKind.NoisyTopK)
            AddWhere(idle, ("moe.logit_noise", moe.LogitNoise));
        AddUnless(idle, "moe.router_bias", router.HasLogits || !moe.RouterBias);
        AddUnless(idle, "moe.routed_scaling", moe.RoutedScaling == 1f || moe.Router is RouterKind.TopK or RouterKind.DeepSeek);
        if (idle.Count > 0)
            yield return $"{Together(idle)} no effect with moe.router={router.Name}";
    }

    /// <summary>Keys of rotary positions that say something, and nothing asks for them.</summary>
    private static IEnumerable<string> Ignored(AttentionConfig attention, ModelConfig model)
    {
        AttentionConfig plain = new();
        string scaling = attention.RopeScaling.ToString().ToLowerInvariant();
        bool isYarn = attention.RopeScaling == RopeScaling.Yarn, isLlama3 = attention.RopeScaling == RopeScaling.Llama3;
        List<string> idle = [];
        void AddUnless(bool used, string key, bool isSet)
        {
            if (isSet && !used)
                idle.Add($"attention.{key}");
        }

        AddUnless(attention.RopeScaling != RopeScaling.None, "rope_factor", attention.RopeFactor != plain.RopeFactor);
        bool hasContext = isYarn || isLlama3 || attention.RopeScaling == RopeScaling.Dynamic;
        AddUnless(hasContext, "rope_original_context", attention.RopeOriginalContext != 0);
        AddUnless(isLlama3, "rope_low_frequency", attention.RopeLowFrequency != plain.RopeLowFrequency);
        AddUnless(isLlama3, "rope_high_frequency", attention.RopeHighFrequency != plain.RopeHighFrequency);
        AddUnless(isYarn, "rope_beta_fast", attention.RopeBetaFast != plain.RopeBetaFast);
        AddUnless(isYarn, "rope_beta_slow", attention.RopeBetaSlow != plain.RopeBetaSlow);
        AddUnless(isYarn, "rope_truncate", attention.RopeTruncate != plain.RopeTruncate);
        AddUnless(isYarn, "rope_attention_factor", attention.RopeAttentionFactor != 0);
        AddUnless(isYarn, "rope_mscale", attention.RopeMscale != 0);
        AddUnless(isYarn, "rope_mscale_all_dim", attention.RopeMscaleAllDim != 0);
        if (idle.Count > 0)
            yield return $"{string.Join(", ", idle)} {(idle.Count == 1 ? "has" : "have")} no effect with attention.rope_scaling={scaling}";
        if (model.Positions != PositionKind.Rope)
        {
            idle.Clear();
            AddUnless(false, $"rope_scaling={scaling}", attention.RopeScaling != RopeScaling.None);
            AddUnless(false, "rope_size", attention.RopeSize != 0);
            AddUnless(false, "rope_interleaved", attention.RopeInterleaved);
            if (idle.Count > 0)
                yield return $"{string.Join(", ", idle)} {(idle.Count == 1 ? "has" : "have")} no effect with model.positions=learned";
        }
        else if (attention.RopeScaling == RopeScaling.Dynamic && model.Context <= attention.RopeOriginalContextOrAll(model))
        {
            yield return "attention.rope_scaling=dynamic has no effect up to the original context, "
                + $"{attention.RopeOriginalContextOrAll(model)} tokens, and model.context={model.Context} is not longer; to use it raise "
                + "model.context, and set attention.rope_original_context to the context of the training";
        }
    }

    /// <summary>Experts that fill up over the windows of a batch make an evaluation depend on how many it reads together.</summary>
    private static IEnumerable<string> DependsOnBatch(RunConfig config)
    {
        if (config.Moe.CapacityLooksAhead)
        {
            yield return $"moe.eval_capacity_factor={config.Moe.EvalCapacityFactor} lets the loss of an evaluation depend on how many "
                + $"windows it reads at once (train.batch={config.Train.Batch}): compare such losses at equal train.batch only";
        }
    }

    /// <summary>One line for all keys that were written by their former names.</summary>
    private static IEnumerable<string> Renamed(IReadOnlyList<ConfigKey> keys)
    {
        if (keys.Count > 0)
            yield return string.Join(", ", keys.Select(key => $"{key.FormerPath} is now {key.Path}"));
    }

    private static string Together(List<string> keys) => $"{string.Join(", ", keys)} {(keys.Count == 1 ? "has" : "have")}";

    private static void AddUnless(List<string> idle, string key, bool works)
    {
        if (!works)
            idle.Add(key);
    }

    private static void AddWhere(List<string> idle, params ReadOnlySpan<(string Key, float Value)> keys)
    {
        foreach ((string key, float value) in keys)
        {
            if (value > 0)
                idle.Add(key);
        }
    }
}
