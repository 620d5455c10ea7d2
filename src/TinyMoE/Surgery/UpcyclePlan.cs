using System.Globalization;
using TinyMoE.Configuration;

namespace TinyMoE.Surgery;

/// <summary>
/// How a mixture is made of a dense model: its configuration, which neurons its experts have, and by what their output is scaled so that
/// the first step computes the dense model, or where it cannot, what a router that knows nothing makes of it.
/// <code>
/// s = the sum of a token's gates: 1 where they are renormalised, K/E of a small router where they are not
/// copy, drop     down/s
/// granular       down·G/s, G shards per copy: the chosen shards of a copy share its gate
/// partition      down·(E/K)/s: K of E parts stand for all
/// </code>
/// A down projection's bias is counted once per token: it is divided by s.
/// </summary>
internal sealed class UpcyclePlan
{
    private UpcyclePlan(RunConfig dense, RunConfig config, UpcycleOptions options, int shared)
    {
        (Dense, Config, Options, SharedHidden) = (dense, config, options, shared);
        Gates = GateSum.Of(config.Moe);
        (int E, int K) = (config.Moe.Experts, config.Moe.ActiveOfRouter);
        Shards = options.Method == UpcycleMethod.Granular ? RoutedHidden / config.Moe.Hidden : 1;
        double own = options.Method switch
        {
            UpcycleMethod.Granular => Shards,
            UpcycleMethod.Partition => (double)E / K,
            _ => 1,
        };
        Scale = options.Scale ?? (float)(own / Gates.Value);
        BiasScale = (float)(1 / Gates.Value);
    }

    /// <summary>The dense model.</summary>
    public RunConfig Dense { get; }

    /// <summary>The mixture.</summary>
    public RunConfig Config { get; }

    /// <summary>What was asked for.</summary>
    public UpcycleOptions Options { get; }

    /// <summary>Neurons of the dense feed-forward that become the shared expert: the first ones; 0: there is none.</summary>
    public int SharedHidden { get; }

    /// <summary>Neurons that the experts are made of.</summary>
    public int RoutedHidden => Dense.Model.HiddenOrDefault - SharedHidden;

    /// <summary>Shards per copy of a granular mixture; else 1.</summary>
    public int Shards { get; }

    /// <summary>What the experts' down projections are multiplied by.</summary>
    public float Scale { get; }

    /// <summary>What their biases are multiplied by.</summary>
    public float BiasScale { get; }

    /// <summary>What the gates of a token sum to.</summary>
    public GateSum Gates { get; }

    /// <summary>Plans it; <paramref name="changes"/> are the keys of <c>--set</c>.</summary>
    /// <exception cref="TinyMoEException">The model is no dense one, or cannot become that mixture.</exception>
    public static UpcyclePlan Make(RunConfig dense, IReadOnlyList<KeyValuePair<string, string>> changes, UpcycleOptions options)
    {
        if (dense.Moe.Experts > 0)
            throw new TinyMoEException($"The model has {dense.Moe.Experts} experts per layer already; upcycling begins with a dense one.");
        foreach ((string key, _) in changes)
        {
            if (!key.StartsWith("moe.", StringComparison.Ordinal) && !key.StartsWith("train.", StringComparison.Ordinal))
                throw new TinyMoEException($"{key} cannot change: the weights are the dense model's; set keys of moe and train only.");
        }

        Check(options);
        RunConfig config = changes.Aggregate(
            dense with { Moe = dense.Moe with { ExpertBiases = dense.Model.FeedForwardBiases } },
            (changed, change) => changed.With(change.Key, change.Value));
        MoeConfig moe = config.Moe;
        if (moe.Experts < 1)
            throw new TinyMoEException("How many experts are there to be? Set moe.experts, as in moe.experts=8 moe.active=2.");
        if (moe.Router is RouterKind.Hash or RouterKind.Task)
        {
            throw new TinyMoEException(
                $"moe.router={RouterTraits.Of(moe.Router).Name} goes by the text to learn, which is not known here; choose another.");
        }

        if (config.Model.HasBias(moe.ExpertBiases) != dense.Model.HasBias(dense.Model.FeedForwardBiases))
            throw new TinyMoEException("moe.expert_biases must be as the dense feed-forward has it; leave it out.");
        bool setsHidden = changes.Any(change => change.Key == "moe.hidden");
        (moe, int shared) = WithHidden(dense.Model.HiddenOrDefault, moe, options, setsHidden);
        if (options.Layers is { } layers)
            moe = WithLayers(moe, layers, dense.Model.Layers);
        if (!Enumerable.Range(0, dense.Model.Layers).Any(moe.InLayer))
            throw new TinyMoEException("No layer would have experts: moe.every, moe.first_dense and moe.dense_layers leave none.");
        UpcyclePlan plan = new(dense, config with { Moe = moe }, options, shared);
        plan.Config.Validate();
        return plan;
    }

    /// <summary>Why the first step does not compute the dense model; none: it does, but for roundings.</summary>
    public IReadOnlyList<string> Differences(int sources)
    {
        List<string> reasons = [];
        MoeConfig moe = Config.Moe;
        if (sources > 1)
            reasons.Add($"the experts are those of {sources} models, and the rest is their mean");
        if (Options.Method == UpcycleMethod.Drop && Options.DropRatio > 0)
            reasons.Add(string.Create(CultureInfo.InvariantCulture, $"{Options.DropRatio:P0} of the experts' neurons are drawn anew"));
        if (Options.Method == UpcycleMethod.Partition)
            reasons.Add($"a token passes {moe.ActiveOfRouter} of {moe.Experts} parts of the neurons");
        if (Options.Noise > 0)
            reasons.Add("there is noise on the experts");
        if (!Gates.IsConstant)
        {
            reasons.Add(string.Create(
                CultureInfo.InvariantCulture, $"the gates of a token sum to {Gates.Value:G4} only as long as all logits are equal"));
        }

        if (moe.CapacityLooksAhead)
            reasons.Add("experts drop tokens in evaluation");
        if (moe.RouterLooksAhead)
            reasons.Add("tokens have different numbers of experts");
        if (moe.SharedGate)
            reasons.Add("the shared expert has a gate");
        if (moe.ExpertPrecision != Memory.ElementType.Float32)
            reasons.Add("experts compute in bfloat16");
        float own = (float)((Options.Method == UpcycleMethod.Granular ? Shards : 1) / Gates.Value);
        if (Options.Scale is { } scale && scale != own)
            reasons.Add(string.Create(CultureInfo.InvariantCulture, $"the experts are scaled by {scale:G4} instead of {own:G4}"));
        return reasons;
    }

    private static void Check(UpcycleOptions options)
    {
        if (!(options.DropRatio is >= 0 and <= 1))
            throw new TinyMoEException($"The ratio of neurons that are drawn anew must be 0 to 1, not {Number(options.DropRatio)}.");
        if (!(options.Noise >= 0) || float.IsInfinity(options.Noise))
            throw new TinyMoEException($"The noise on the experts must be 0 or more, not {Number(options.Noise)}.");
        if (options.Scale is { } scale && !(scale > 0 && float.IsFinite(scale)))
            throw new TinyMoEException($"The scale of the experts must be above 0, not {Number(scale)}.");
    }

    private static string Number(float value) => value.ToString(CultureInfo.InvariantCulture);

    /// <summary>The sizes of experts and of the shared expert, those that were set and those that follow.</summary>
    private static (MoeConfig Moe, int Shared) WithHidden(int F, MoeConfig moe, UpcycleOptions options, bool setsHidden)
    {
        if (!options.Shared && moe.SharedExperts > 0)
            throw new TinyMoEException($"moe.shared_experts={moe.SharedExperts}: nothing says what they begin as; --shared makes one.");
        int shared = 0;
        if (options.Shared)
        {
            bool isWhole = options.Method is UpcycleMethod.Copy or UpcycleMethod.Drop;
            shared = moe.SharedHidden > 0 ? moe.SharedHidden : isWhole && setsHidden ? F - moe.Hidden : F / 2;
            if (shared < 1 || shared >= F)
                throw new TinyMoEException($"The shared expert must have 1 to {F - 1} of the {F} hidden neurons, not {shared}.");
            moe = moe with { SharedExperts = 1, SharedHidden = shared };
        }

        int routed = F - shared, E = moe.Experts;
        if (options.Method == UpcycleMethod.Partition && routed % E != 0)
            throw new TinyMoEException($"{routed} hidden neurons cannot be dealt to {E} experts in equal parts; set another moe.experts.");
        if (options.Method == UpcycleMethod.Granular)
            return (WithShards(routed, moe, setsHidden), shared);
        int hidden = options.Method == UpcycleMethod.Partition ? routed / E : routed;
        if (setsHidden && moe.Hidden != hidden)
        {
            throw new TinyMoEException(
                $"moe.hidden={moe.Hidden} does not fit: an expert of this method has {hidden} of the {F} hidden neurons; leave it out.");
        }

        return (moe with { Hidden = hidden }, shared);
    }

    /// <summary>Shards of copies: as many of each as moe.hidden says, in whole copies, of which a token takes whole ones.</summary>
    private static MoeConfig WithShards(int routed, MoeConfig moe, bool setsHidden)
    {
        if (!setsHidden || moe.Hidden < 1 || moe.Hidden >= routed || routed % moe.Hidden != 0)
        {
            throw new TinyMoEException(
                $"Set moe.hidden to the size of a shard, a divisor of the {routed} hidden neurons, as in "
                + $"moe.hidden={Math.Max(1, routed / 2)}.");
        }

        int G = routed / moe.Hidden;
        if (moe.Router is not (RouterKind.TopK or RouterKind.DeepSeek) || moe.Groups > 1)
            throw new TinyMoEException("Shards are chosen together by routers top-k and deepseek without groups only.");
        if (moe.Experts % G != 0 || moe.Active % G != 0)
        {
            throw new TinyMoEException(
                $"moe.experts={moe.Experts} and moe.active={moe.Active} must be multiples of the {G} shards that make a copy.");
        }

        if (moe.Jitter > 0 || moe.LogitNoise > 0)
            throw new TinyMoEException("moe.jitter and moe.logit_noise would tear the shards of a copy apart; leave them 0.");
        return moe;
    }

    private static MoeConfig WithLayers(MoeConfig moe, LayerList layers, int count)
    {
        foreach (int layer in layers.Layers)
        {
            if (layer < 0 || layer >= count)
                throw new TinyMoEException($"There is no layer {layer}: the model's are 0 to {count - 1}.");
        }

        int[] others = [.. Enumerable.Range(0, count).Where(layer => !layers.Contains(layer))];
        return moe with { Every = 1, FirstDense = 0, DenseLayers = new LayerList(others) };
    }
}
