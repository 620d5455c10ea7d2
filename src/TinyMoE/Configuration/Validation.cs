using TinyMoE.Files;
using TinyMoE.Memory;

namespace TinyMoE.Configuration;

/// <summary>Finds what cannot work before anything is allocated. One line an error: the keys, their values, what to do.</summary>
internal static class Validation
{
    /// <summary>Largest size of anything, so that four times a width is still an int.</summary>
    private const int Largest = 10_000_000;

    /// <summary>More tokens than any model that is trained here has use for.</summary>
    internal const int MostTokens = 1_000_000;

    private const int MostLayers = 10_000; // building a layer takes time, even where it takes no memory

    private const int MostContext = 1 << 20; // so does every position: attention looks from each at all before it

    public static void Check(RunConfig config)
    {
        CheckGroups(config);
        CheckTrain(config.Train);
        CheckData(config.Data);
        CheckTensors(config, (long)(config.Train.Batch / config.Train.Accumulation) * config.Model.Context);
    }

    /// <summary>Finds what cannot work of a model that is only used, a few tokens at a time.</summary>
    public static void CheckUse(RunConfig config)
    {
        CheckGroups(config);
        CheckTensors(config, tokens: 1);
    }

    private static void CheckGroups(RunConfig config)
    {
        CheckModel(config.Model);
        CheckHeads(config.Attention, config.Model);
        CheckRopeScaling(config.Attention, config.Model);
        CheckAttention(config.Attention);
        CheckLatent(config.Attention, config.Model);
        CheckMoe(config.Moe, config.Model);
    }

    /// <summary>Finds what a model can have whose weights are given, and one that begins with random weights cannot learn with.</summary>
    public static void CheckLearns(MoeConfig moe) => Require(!moe.GatesAreConstant,
        "moe.renormalize=true with moe.active=1 makes every gate 1, so the router cannot learn from the text; set moe.renormalize=false");

    /// <summary>Finds what a model that was trained must have, and a configuration that is still to meet its text need not.</summary>
    public static void CheckComplete(RunConfig config)
    {
        AtLeast("model.vocabulary", config.Model.Vocabulary, 1);
        if (config.Moe.RoutesByLabel)
            AtLeast("moe.tasks", config.Moe.Tasks, 1);
    }

    /// <summary>A tensor has at most 2³¹ − 1 elements; here are the largest of the weights and of a step.</summary>
    private static void CheckTensors(RunConfig config, long tokens)
    {
        (ModelConfig model, AttentionConfig attention, MoeConfig moe) = (config.Model, config.Attention, config.Moe);
        long hidden = model.HiddenOrDefault, expertHidden = moe.Experts == 0 ? 0 : moe.HiddenOrDefault(model.Width);
        Tensor("model.width·model.width", (long)model.Width * model.Width);
        Tensor("model.context·model.width", (long)model.Context * model.Width);
        Tensor("model.vocabulary·model.width", (long)model.Vocabulary * model.Width);
        Tensor("model.width·model.hidden", model.Width * hidden);
        Tensor("model.context·(size of a head)", (long)model.Context * attention.HeadSizeOrDefault(model.Width));
        long queryWidth = (long)attention.Heads * attention.HeadSizeOrDefault(model.Width);
        if (attention.HeadSize > 0)
        {
            Tensor("attention.heads·attention.head_size", queryWidth);
            Tensor("attention.heads·attention.head_size·model.width", queryWidth * model.Width);
            Tensor("train.batch·model.context·attention.heads·attention.head_size", tokens * queryWidth);
        }

        if (attention.Kind == AttentionKind.Latent)
        {
            long keyValueWidth = queryWidth + (long)attention.Heads * (attention.ValueSizeOrDefault(model.Width) - attention.RopeSize);
            Tensor("train.batch·model.context", tokens);
            Tensor("attention.heads·(sizes of a head)", queryWidth + keyValueWidth);
            Tensor("2·attention.heads·model.context", 2L * attention.Heads * model.Context);
            Tensor("attention.latent_rank·model.width", ((long)attention.LatentRank + attention.RopeSize) * model.Width);
            Tensor("attention.heads·attention.value_size·model.width",
                (long)attention.Heads * attention.ValueSizeOrDefault(model.Width) * model.Width);
            Tensor("attention.query_rank·model.width", (long)attention.QueryRank * model.Width);
            Tensor("attention.query_rank·attention.heads·attention.head_size", attention.QueryRank * queryWidth);
            Tensor("attention.latent_rank·attention.heads·(sizes of a head)", attention.LatentRank * keyValueWidth);
            Tensor("model.context·attention.latent_rank", (long)model.Context * (attention.LatentRank + attention.RopeSize));
            Tensor("train.batch·model.context·attention.heads·(sizes of a head)", tokens * (queryWidth + keyValueWidth));
        }

        if (attention.Kind == AttentionKind.SwitchHead)
        {
            Tensor("attention.experts·(head sizes)·model.width", attention.Experts * queryWidth * model.Width);
            long rows = tokens * attention.Heads * attention.Active;
            Tensor("train.batch·model.context·attention.heads·attention.active·model.width", rows * model.Width);
        }

        Tensor("moe.experts·model.width", (long)moe.Experts * model.Width);
        Tensor("moe.experts·model.width·moe.hidden", moe.Experts * model.Width * expertHidden);
        Tensor("train.batch·model.context", tokens);
        long rowsHidden = moe.Experts == 0 ? 0 : moe.ActiveOfRouter * expertHidden;
        Tensor("train.batch·model.context·(hidden size)", tokens * Math.Max(hidden, rowsHidden));
        Tensor("train.batch·model.context·model.vocabulary", tokens * model.Vocabulary);
        if (moe.Experts > 0)
        {
            Tensor("train.batch·model.context·moe.experts", tokens * moe.Experts);
            Tensor("train.batch·model.context·moe.active·model.width", tokens * moe.ActiveOfRouter * model.Width);
            long sharedHidden = moe.SharedHiddenOrDefault(model.Width);
            string shared = moe.SharedHidden > 0 ? "moe.shared_hidden" : "moe.shared_experts·moe.hidden";
            Tensor($"model.width·{shared}", model.Width * sharedHidden);
            Tensor($"train.batch·model.context·{shared}", tokens * sharedHidden);
        }

        static void Tensor(string keys, long elements) =>
            Require(elements is >= 0 and <= int.MaxValue,
                $"{keys} makes a tensor of more than {int.MaxValue} elements; make one of them smaller");
    }

    private static void CheckModel(ModelConfig model)
    {
        Size("model.width", model.Width, 1);
        AtLeast("model.layers", model.Layers, 1);
        Require(model.Layers <= MostLayers, $"model.layers={model.Layers} must be at most {MostLayers}");
        AtLeast("model.context", model.Context, 1);
        Require(model.Context <= MostContext, $"model.context={model.Context} must be at most {MostContext}");
        Size("model.vocabulary", model.Vocabulary, 0);
        Size("model.hidden", model.Hidden, 0);
        Positive("model.norm_epsilon", model.NormEpsilon);
        Positive("model.init_scale", model.InitScale);
        Positive("model.swiglu_limit", model.SwigluLimit);
        Positive("model.swiglu_alpha", model.SwigluAlpha);
        Positive("model.embedding_multiplier", model.EmbeddingMultiplier);
        Positive("model.residual_multiplier", model.ResidualMultiplier);
        Positive("model.logits_scaling", model.LogitsScaling);
        Require(model.Dropout is >= 0 and < 1, $"model.dropout={model.Dropout} must be at least 0 and below 1");
    }

    /// <summary>Heads, windows and positions; what a later version will add is refused by name.</summary>
    private static void CheckHeads(AttentionConfig attention, ModelConfig model)
    {
        Size("attention.heads", attention.Heads, 1);
        Size("attention.kv_heads", attention.KvHeads, 0);
        Size("attention.head_size", attention.HeadSize, 0);
        foreach (int window in attention.Window.Values)
            Size("attention.window", window, 0);
        Require(attention.Window.Values.Count <= model.Layers,
            $"attention.window={Excerpt.Of(attention.Window.ToString())} names {attention.Window.Values.Count} layers, more than "
            + $"model.layers={model.Layers}; leave some out");
        Require(attention.HeadSize > 0 || model.Width % attention.Heads == 0,
            $"attention.heads={attention.Heads} does not divide model.width={model.Width}; choose a width that is a multiple "
            + "of the heads, or set attention.head_size");
        Require(attention.Heads % attention.KvHeadsOrAll == 0,
            $"attention.kv_heads={attention.KvHeads} does not divide attention.heads={attention.Heads}; choose a divisor, or "
            + "0 for as many as heads");
        int headSize = attention.HeadSizeOrDefault(model.Width);
        string named = attention.HeadSize > 0 ? "attention.head_size" : "model.width/attention.heads";
        Require(model.Positions != PositionKind.Rope || headSize % 2 == 0 || attention.RopeSize > 0,
            $"model.positions=rope needs an even head size, and {named}={headSize} is odd; change one of them, set "
            + "attention.rope_size, or use model.positions=learned");
        Size("attention.rope_size", attention.RopeSize, 0);
        Require(attention.RopeSize % 2 == 0, $"attention.rope_size={attention.RopeSize} must be an even number: elements turn in pairs");
        Require(attention.RopeSize <= headSize,
            $"attention.rope_size={attention.RopeSize} is above {named}={headSize}; lower it, or set 0 for all of a head");
        NotNegative("attention.scale", attention.Scale);
        NotNegative("attention.clip", attention.Clip);
        Positive("attention.rope_theta", attention.RopeTheta);
    }

    /// <summary>What the formulas of the scalings divide by, and take logarithms of.</summary>
    private static void CheckRopeScaling(AttentionConfig attention, ModelConfig model)
    {
        Require(float.IsFinite(attention.RopeFactor) && attention.RopeFactor >= 1,
            $"attention.rope_factor={attention.RopeFactor} must be a number, at least 1");
        Size("attention.rope_original_context", attention.RopeOriginalContext, 0);
        Positive("attention.rope_low_frequency", attention.RopeLowFrequency);
        Positive("attention.rope_high_frequency", attention.RopeHighFrequency);
        Positive("attention.rope_beta_fast", attention.RopeBetaFast);
        Positive("attention.rope_beta_slow", attention.RopeBetaSlow);
        NotNegative("attention.rope_attention_factor", attention.RopeAttentionFactor);
        NotNegative("attention.rope_mscale", attention.RopeMscale);
        NotNegative("attention.rope_mscale_all_dim", attention.RopeMscaleAllDim);
        Require(attention.RopeScaling != RopeScaling.Llama3 || attention.RopeLowFrequency < attention.RopeHighFrequency,
            $"attention.rope_high_frequency={attention.RopeHighFrequency} must be above "
            + $"attention.rope_low_frequency={attention.RopeLowFrequency} with attention.rope_scaling=llama3");
        bool isYarn = attention.RopeScaling == RopeScaling.Yarn;
        Require(!isYarn || attention.RopeBetaSlow <= attention.RopeBetaFast,
            $"attention.rope_beta_fast={attention.RopeBetaFast} must be at least "
            + $"attention.rope_beta_slow={attention.RopeBetaSlow} with attention.rope_scaling=yarn");
        Require(!isYarn || attention.RopeTheta > 1,
            $"attention.rope_theta={attention.RopeTheta} must be above 1 with attention.rope_scaling=yarn");
        int turned = attention.RopeSizeOrAll(model.Width);
        Require(attention.RopeScaling != RopeScaling.Dynamic || turned > 2,
            $"attention.rope_scaling=dynamic needs more than one pair of elements to turn, and a head has {turned}; use larger heads, or "
            + "attention.rope_scaling=linear");
    }

    private static void CheckAttention(AttentionConfig attention)
    {
        Size("attention.experts", attention.Experts, 1);
        Size("attention.active", attention.Active, 1);
        Require(attention.GateDropout is >= 0 and < 1, $"attention.gate_dropout={attention.GateDropout} must be at least 0 and below 1");
        bool hasExperts = attention.Kind == AttentionKind.SwitchHead;
        Require(hasExperts || attention.GateDropout == 0,
            $"attention.gate_dropout={attention.GateDropout} needs the experts of attention.kind=switch-head; set that, or "
            + "attention.gate_dropout=0");
        Require(!hasExperts || attention.Active <= attention.Experts,
            $"attention.active={attention.Active} is above attention.experts={attention.Experts}; lower it, or add experts");
        Require(attention.Active < attention.Experts || attention.GateDropout == 0,
            $"attention.gate_dropout={attention.GateDropout} needs attention.active below "
            + $"attention.experts={attention.Experts}, or every expert is taken all the same; set it 0");
    }

    /// <summary>The sizes of latent attention, which no other kind has, and what it has not.</summary>
    private static void CheckLatent(AttentionConfig attention, ModelConfig model)
    {
        Size("attention.value_size", attention.ValueSize, 0);
        Size("attention.latent_rank", attention.LatentRank, 0);
        Size("attention.query_rank", attention.QueryRank, 0);
        if (attention.Kind != AttentionKind.Latent)
        {
            NeedsLatent("attention.value_size", attention.ValueSize);
            NeedsLatent("attention.latent_rank", attention.LatentRank);
            NeedsLatent("attention.query_rank", attention.QueryRank);
            return;
        }

        int headSize = attention.HeadSizeOrDefault(model.Width);
        Require(model.Positions == PositionKind.Rope, "attention.kind=latent has rotary positions only; set model.positions=rope");
        Require(attention.LatentRank > 0,
            "attention.kind=latent needs attention.latent_rank: how many numbers the keys and values of a token are made of");
        Require(attention.RopeSize > 0 && attention.RopeSize < headSize,
            $"attention.kind=latent needs an attention.rope_size above 0 and below the size of a head, {headSize}: the elements of a head "
            + $"that have positions; it is {attention.RopeSize}");
        Require(attention.KvHeadsOrAll == attention.Heads,
            $"attention.kv_heads={attention.KvHeads} has no meaning with attention.kind=latent, where every head has its own keys and "
            + "values; set it 0");
        Require(attention.QueryKeyNorm == QueryKeyNorm.None,
            "attention.kind=latent has norms of its own and takes none of queries and keys; set attention.query_key_norm=none");
        Require(attention.Window.Values.All(window => window == 0),
            $"attention.window={Excerpt.Of(attention.Window.ToString())} has no meaning with attention.kind=latent, which sees all tokens; "
            + "set it 0");

        Require(attention.Clip == 0, $"attention.clip={attention.Clip} is not there with attention.kind=latent; set it 0");
        Require(!attention.Sinks, "attention.sinks=true is not there with attention.kind=latent; set it false");

        static void NeedsLatent(string key, int value) =>
            Require(value == 0, $"{key}={value} needs attention.kind=latent; set that, or {key}=0");
    }

    private static void CheckMoe(MoeConfig moe, ModelConfig model)
    {
        Size("moe.experts", moe.Experts, 0);
        Size("moe.hidden", moe.Hidden, 0);
        Size("moe.every", moe.Every, 1);
        Size("moe.first_dense", moe.FirstDense, 0);
        Size("moe.shared_experts", moe.SharedExperts, 0);
        Size("moe.shared_hidden", moe.SharedHidden, 0);
        foreach (int layer in moe.DenseLayers.Layers)
        {
            Require(layer >= 0 && layer < model.Layers,
                $"moe.dense_layers names layer {layer}, and model.layers={model.Layers} are 0 to {model.Layers - 1}; leave it out");
        }

        Require(moe.DenseLayers.Layers.Distinct().Count() == moe.DenseLayers.Layers.Count,
            $"moe.dense_layers={Excerpt.Of(moe.DenseLayers.ToString())} names a layer twice; name each once");
        Size("moe.groups", moe.Groups, 1);
        Size("moe.active_groups", moe.ActiveGroups, 1);
        Size("moe.min_capacity", moe.MinCapacity, 1);
        Size("moe.tasks", moe.Tasks, 0);
        NotNegative("moe.balance_loss", moe.BalanceLoss);
        NotNegative("moe.sequence_loss", moe.SequenceLoss);
        NotNegative("moe.gshard_loss", moe.GshardLoss);
        NotNegative("moe.z_loss", moe.ZLoss);
        NotNegative("moe.importance_loss", moe.ImportanceLoss);
        NotNegative("moe.load_loss", moe.LoadLoss);
        NotNegative("moe.noise_epsilon", moe.NoiseEpsilon);
        NotNegative("moe.logit_noise", moe.LogitNoise);
        NotNegative("moe.bias_rate", moe.BiasRate);
        NotNegative("moe.capacity_factor", moe.CapacityFactor);
        NotNegative("moe.eval_capacity_factor", moe.EvalCapacityFactor);
        Positive("moe.routed_scaling", moe.RoutedScaling);
        Share("moe.jitter", moe.Jitter);
        Share("moe.expert_dropout", moe.ExpertDropout);
        Share("moe.gate_dropout", moe.GateDropout);
        if (moe.Experts > 0)
            CheckRouter(moe, RouterTraits.Of(moe.Router), model);
    }

    private static void CheckRouter(MoeConfig moe, RouterTraits router, ModelConfig model)
    {
        string named = $"moe.router={router.Name}";
        bool noisy = moe.Router == RouterKind.NoisyTopK;
        Require(moe.Active >= 1 && (moe.Active <= moe.Experts || router.Active is not null),
            $"moe.active={moe.Active} must be from 1 to moe.experts={moe.Experts}; for a dense model set moe.experts=0");
        Require(moe.FirstDense < model.Layers,
            $"moe.first_dense={moe.FirstDense} leaves none of model.layers={model.Layers} for the experts; lower it, or set moe.experts=0");
        Require(Enumerable.Range(0, model.Layers).Any(moe.InLayer),
            $"moe.dense_layers, moe.first_dense={moe.FirstDense} and moe.every={moe.Every} leave none of model.layers={model.Layers} for "
            + "the experts; name fewer, or set moe.experts=0");
        Require(moe.LoadLoss == 0 || noisy || (moe.LogitNoise > 0 && moe.Router is RouterKind.TopK or RouterKind.Switch),
            $"moe.load_loss={moe.LoadLoss} needs noise: moe.router=noisy-top-k, or moe.logit_noise above 0 with top-k or "
            + "switch; set that, or moe.load_loss=0");
        Require(moe.LoadLoss == 0 || moe.ActiveOfRouter < moe.Experts,
            $"moe.load_loss={moe.LoadLoss} needs moe.active below moe.experts={moe.Experts}, or every load is the same; set "
            + "moe.load_loss=0");
        Require(moe.ActiveOfRouter > 1 || moe.Experts == 1 || moe.Router != RouterKind.Task || !moe.Renormalize,
            "moe.renormalize=true with moe.active=1 makes every gate 1, so the router cannot learn from the text; set "
            + "moe.renormalize=false");
        Require(moe.ActiveOfRouter > 1 || moe.Experts == 1 || !noisy || moe.LoadLoss > 0,
            "moe.router=noisy-top-k with moe.active=1 makes every gate 1, so the router cannot learn; set moe.active=2, or "
            + "moe.load_loss above 0");

        Require(moe.Experts % moe.Groups == 0,
            $"moe.groups={moe.Groups} does not divide moe.experts={moe.Experts}; choose a divisor, or 1 for no groups");
        Require(moe.ActiveGroups <= moe.Groups,
            $"moe.active_groups={moe.ActiveGroups} must be from 1 to moe.groups={moe.Groups}");
        Require(moe.Groups == 1 || moe.Router is RouterKind.TopK or RouterKind.Hierarchical or RouterKind.DeepSeek,
            $"moe.groups={moe.Groups} is for the routers top-k, hierarchical and deepseek, and {named} has no groups; set moe.groups=1");
        Require(moe.LoadLoss == 0 || moe.ActiveGroups == moe.Groups,
            $"moe.load_loss={moe.LoadLoss} is of choices among all experts, and moe.active_groups={moe.ActiveGroups} of "
            + $"moe.groups={moe.Groups} closes some; set moe.load_loss=0, or moe.groups=1");
        Require(moe.Active <= moe.ActiveGroups * (moe.Experts / moe.Groups) || moe.Groups == 1,
            $"moe.active={moe.Active} experts do not fit moe.active_groups={moe.ActiveGroups} groups of "
            + $"{moe.Experts / Math.Max(1, moe.Groups)}; raise moe.active_groups, or lower moe.active");
        Require(moe.Router != RouterKind.Hierarchical || moe.Active % moe.ActiveGroups == 0,
            $"moe.active={moe.Active} is not the same number of experts of each of moe.active_groups={moe.ActiveGroups} "
            + "groups; choose a multiple");

        Require(moe.CapacityFactor == 0 && moe.EvalCapacityFactor == 0 || router.Drops,
            $"moe.capacity_factor has no meaning with {named}, where every expert's load is fixed; set moe.capacity_factor=0 "
            + "and moe.eval_capacity_factor=0");
        Require(moe.Drop != DropOrder.Probability || (moe.CapacityFactor == 0 && moe.EvalCapacityFactor == 0) || router.HasProbabilities,
            $"moe.drop=probability drops the smallest gates, and {named} has no gate; set moe.drop=position or random, or "
            + "moe.capacity_factor=0");
        Require(moe.AllowNonCausal || router.Causality != Causality.NonCausal || moe.ChoiceGroup == ChoiceGroup.Position,
            $"{named} chooses among tokens that a decoder has not read yet, so its loss is no language model's; to study it "
            + "set moe.allow_non_causal=true, or moe.choice_group=position");
        Require(moe.AllowNonCausal || moe.EvalCapacityFactor == 0,
            $"moe.eval_capacity_factor={moe.EvalCapacityFactor} lets what a token gets depend on other tokens, later ones "
            + "too; set it to 0, or moe.allow_non_causal=true");
        Require(moe.ExpertPrecision != ElementType.Float16 && moe.RouterPrecision != ElementType.Float16,
            "moe.expert_precision and moe.router_precision are float32 or bfloat16: nothing computes in float16");
        Require(moe.GshardLoss == 0 || moe.Router is not (RouterKind.ExpertChoice or RouterKind.Soft),
            $"moe.gshard_loss counts first choices, and with {named} tokens do not choose; set moe.gshard_loss=0");
        Require(!moe.SharedGate || moe.SharedExperts > 0, "moe.shared_gate=true needs moe.shared_experts above 0");
        Require(moe.SharedHidden == 0 || moe.SharedExperts > 0,
            $"moe.shared_hidden={moe.SharedHidden} needs moe.shared_experts above 0");
    }

    private static void CheckTrain(TrainConfig train)
    {
        Size("train.batch", train.Batch, 1);
        Size("train.accumulation", train.Accumulation, 1);
        Require(train.Batch % train.Accumulation == 0,
            $"train.accumulation={train.Accumulation} does not divide train.batch={train.Batch}; choose a divisor");
        AtLeast("train.steps", train.Steps, 1);
        AtLeast("train.schedule_steps", train.ScheduleSteps, 0);
        AtLeast("train.warmup", train.Warmup, 0);
        AtLeast("train.eval_every", train.EvalEvery, 1);
        AtLeast("train.eval_windows", train.EvalWindows, 0);
        AtLeast("train.checkpoint_every", train.CheckpointEvery, 0);
        AtLeast("train.keep_every", train.KeepEvery, 0);
        Positive("train.learning_rate", train.LearningRate);
        NotNegative("train.min_learning_rate", train.MinLearningRate);
        Require(train.Schedule == ScheduleKind.Constant || train.MinLearningRate <= train.LearningRate,
            $"train.min_learning_rate={train.MinLearningRate} is above train.learning_rate={train.LearningRate}; lower it, or "
            + "set train.schedule=constant");
        Require(train.DecayShare is > 0 and <= 1, $"train.decay_share={train.DecayShare} must be above 0 and at most 1");
        NotNegative("train.weight_decay", train.WeightDecay);
        Require(train.Beta1 is >= 0 and < 1, $"train.beta1={train.Beta1} must be at least 0 and below 1");
        Require(train.Beta2 is >= 0 and < 1, $"train.beta2={train.Beta2} must be at least 0 and below 1");
        Positive("train.epsilon", train.Epsilon);
        NotNegative("train.clip", train.Clip);
    }

    internal static void CheckData(DataConfig data)
    {
        Require(data.Sources.Count > 0 && !data.Sources.Any(string.IsNullOrWhiteSpace),
            $"data.sources is empty or has an empty entry; name files, folders or globs of text, or {DataConfig.SdkDocs}");
        Require(!data.Sources.Any(source => source.Contains('\0', StringComparison.Ordinal)),
            "data.sources has an entry with the character U+0000, which no path has; name files, folders or globs of text");
        bool readsDocs = data.Sources.Any(source =>
            source == DataConfig.SdkDocs || source.EndsWith("=" + DataConfig.SdkDocs, StringComparison.Ordinal));
        Require(data.Labels != LabelKind.Record || !readsDocs,
            $"data.labels=record needs files of JSON Lines, and data.sources has {DataConfig.SdkDocs}; name such files, or "
            + "set data.labels=source");
        Require(data.Tokenizer != TokenizerKind.Bpe || data.TokenizerVocabulary is >= 1 and <= MostTokens,
            $"data.tokenizer_vocabulary={data.TokenizerVocabulary} must be at least 1 and at most {MostTokens}");
        Require(!data.TokenizerFile.Contains('\0', StringComparison.Ordinal),
            "data.tokenizer_file has the character U+0000, which no path has; name a file or a folder");
        Require(data.Validation is > 0 and < 1,
            $"data.validation={data.Validation} must be above 0 and below 1: the share of the text that is held out");
    }

    private static void Size(string key, int value, int least)
    {
        AtLeast(key, value, least);
        Require(value <= Largest, $"{key}={value} must be at most {Largest}");
    }

    private static void AtLeast(string key, int value, int least) => Require(value >= least, $"{key}={value} must be at least {least}");

    private static void Positive(string key, float value) =>
        Require(float.IsFinite(value) && value > 0, $"{key}={value} must be a number above 0");

    private static void Share(string key, float value) => Require(value is >= 0 and < 1, $"{key}={value} must be at least 0 and below 1");

    private static void NotNegative(string key, float value) =>
        Require(float.IsFinite(value) && value >= 0, $"{key}={value} must be a number, at least 0");

    private static void Require(bool holds, string otherwise)
    {
        if (!holds)
            throw new TinyMoEException(otherwise);
    }
}
