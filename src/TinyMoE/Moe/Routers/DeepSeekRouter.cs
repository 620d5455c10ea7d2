using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// DeepSeek-V3's router (DeepSeek-AI 2024, section 2.1.2): balanced without a loss, by a bias that only chooses (Wang et al. 2024).
/// <code>
/// s = σ(x·Wgᵀ)
/// groups: of moe.groups, those moe.active_groups with the largest sum of their two best s + b stay in the choice
/// I = the K largest s + b
/// g = scaling·s[I]/Σ s[I]        the bias is not in the gate; moe.renormalize=false: scaling·s[I]
/// after every step: b += γ·sign(mean(c) − c), c = choices per expert in the whole step, all its parts together
/// </code>
/// γ = moe.bias_rate, 0.001; scaling = moe.routed_scaling, 2.5 in V3 with 256 experts. The bias b, the correction, begins at 0, has no
/// gradient and no decay, acts in evaluation as it is, and is part of a checkpoint. It is not that of the logits, moe.router_bias, which is
/// learned. Usual companions: shared experts, fine experts, moe.sequence_loss 0.0001. For losses a probability is s/Σs. Divided by their
/// sum, gates of K = 1 are constant and teach the router nothing.
/// </summary>
internal sealed class DeepSeekRouter : GatedRouter
{
    private const float Least = 1e-35f; // a sum of scores below it, of logits below −80, is 0: then all gates are equal

    private readonly ParameterStore store;
    private readonly StateTensor bias;
    private readonly StateTensor counts;

    /// <summary>Adds <c>name.router.weight</c> (E, C) and the state <c>name.router.correction</c> (E), b, to the site's store.</summary>
    public DeepSeekRouter(RouterSite site)
        : base(site)
    {
        store = site.Store;
        bias = store.AddState($"{site.Name}.router.correction", Config.Experts);
        counts = store.AddState($"{site.Name}.router.counts", Config.Experts, saved: false);
    }

    /// <inheritdoc/>
    public override Routing Route(Tensor x, RoutingContext context)
    {
        int K = Config.Active;
        GateLogits logits = Gate.Forward(x, context);            // (N, E)
        Tensor scores = logits.Noisy.Sigmoid(), cleanScores = logits.Clean == logits.Noisy ? scores : logits.Clean.Sigmoid(); // (N, E)
        Ints choices = Choose(scores, bias.On(x.Tape), Config, context.Pass.MaskOf(Layer)); // (N, K)
        Tensor gates = Gates(scores.SelectColumns(choices, K), Config);
        Tensor probabilities = cleanScores.Share(Least);
        Routing routing = Choice.Choose(RouterScores.Of(logits.Clean, probabilities), choices, gates, context);
        if (context.Pass.Training)
            x.Tape.Backend.CountChoices(routing.Choices, 1, scores.Shape[0], K, K, Config.Experts, 1f, new Target(counts.Data, Adds: true));
        return routing;
    }

    /// <inheritdoc/>
    public override void EndStep()
    {
        store.Backend.StepBias(counts.Data, Config.Experts, Gate.IsFrozen ? 0f : Config.BiasRate, bias.Data);
        store.Backend.Fill(counts.Data, 0f);
    }

    /// <summary>The K experts of the largest score + bias within the best groups. scores (N, E), bias (E), result (N, K).</summary>
    internal static Ints Choose(Tensor scores, Tensor bias, MoeConfig config, ExpertMask? mask = null)
    {
        Tensor open = ExpertGroups.Open(scores.Add(bias), config, counted: 2); // (N, E)
        return (mask is null ? open : mask.Apply(open)).TopK(config.Active); // whose score is 0 then, and whose bias may be large
    }

    /// <summary>The chosen scores, divided by their sum or as they are, times the scaling. chosen, result (N, K).</summary>
    internal static Tensor Gates(Tensor chosen, MoeConfig config)
    {
        float scaling = config.RoutedScaling;
        if (config.Renormalize)
        {
            // one by itself has no gradient at all: what rounding would leave of it AdamW would take for one
            return chosen.Shape.Last == 1 ? chosen.Scale(0f).Shift(scaling) : chosen.Share(Least, scaling);
        }

        return scaling == 1f ? chosen : chosen.Scale(scaling);
    }
}
