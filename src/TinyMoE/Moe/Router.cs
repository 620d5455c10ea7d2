using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Moe.Routers;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe;

/// <summary>What a router is built with.</summary>
/// <param name="Store">Where its parameters and its state go.</param>
/// <param name="Name">The name of its layer, which its parameters' names begin with.</param>
/// <param name="Model">The decoder's shape.</param>
/// <param name="Moe">Experts, router, balance losses.</param>
/// <param name="Layer">The layer, from 0.</param>
internal sealed record RouterSite(ParameterStore Store, string Name, ModelConfig Model, MoeConfig Moe, int Layer);

/// <summary>Decides which tokens go to which experts. Everything special about a router ends in the <see cref="Assignment"/>.</summary>
public abstract class Router
{
    /// <summary>A router at this site; it adds its parameters to the site's store.</summary>
    private protected Router(RouterSite site)
    {
        (Config, Layer) = (site.Moe, site.Layer);
        Choice = new TokenChoice(site.Moe, site.Layer);
    }

    /// <summary>Experts, router, balance losses.</summary>
    protected MoeConfig Config { get; }

    /// <summary>The layer, from 0: it names the router's streams of random numbers.</summary>
    protected int Layer { get; }

    /// <summary>The steps from choices and gates to an Assignment, which every router shares.</summary>
    private protected TokenChoice Choice { get; }

    /// <summary>Routes x (N, C). Noise, jitter and losses only when the pass trains.</summary>
    public abstract Routing Route(Tensor x, RoutingContext context);

    /// <summary>After each update of the weights: what a router learns from the loads of the whole step.</summary>
    public virtual void EndStep()
    {
    }

    /// <summary>Whether it must be told, before a new run, how often each id occurs in the text to learn.</summary>
    public virtual bool WantsFrequencies => false;

    /// <summary>Before a new run: how often each id occurs in the text to learn (V).</summary>
    public virtual void Prepare(IReadOnlyList<int> frequencies)
    {
    }
}

/// <summary>What a router may know besides the tokens' vectors.</summary>
/// <param name="Pass">What the forward pass is for.</param>
/// <param name="Tokens">Ids, positions, labels, and which tokens count.</param>
public sealed record RoutingContext(Pass Pass, TokenBatch Tokens)
{
    private static readonly Func<RoutingContext> New = static () => new RoutingContext(Pass.Inference, null!);

    /// <summary>What the forward pass is for.</summary>
    public Pass Pass { get; private set; } = Pass;

    /// <summary>Ids, positions, labels, and which tokens count.</summary>
    public TokenBatch Tokens { get; private set; } = Tokens;

    /// <summary>The same, as long as the step of a tape.</summary>
    internal static RoutingContext On(Tape tape, Pass pass, TokenBatch tokens)
    {
        RoutingContext context = tape.Take(New);
        (context.Pass, context.Tokens) = (pass, tokens);
        return context;
    }

    /// <summary>How many tokens count.</summary>
    public int Counting => Tokens.Mask?.Total ?? Tokens.Count;

    /// <summary>The logits with those of padding so far below that the balancing
    /// kernels take them as not there. logits, result (N, E).</summary>
    internal Tensor WithoutPadding(Tensor logits) => Tokens.Mask is null ? logits : logits.Mask(Tokens.Mask.Column);

    /// <summary>One sequence of as many tokens as x has rows, with ids of no matter: for a layer used by itself. x (N, C).</summary>
    public static RoutingContext For(Tensor x, Pass pass)
    {
        int N = x.Count / x.Shape.Last;
        return new RoutingContext(pass, new TokenBatch(x.Tape.Ints(new int[N]), B: 1, T: N));
    }
}

/// <summary>What a router decided about the tokens of one layer.</summary>
/// <param name="Assignment">Which token goes to which expert, and with which gate.</param>
/// <param name="Scores">What it thinks of every expert.</param>
/// <param name="Choices">The experts that each token wanted (N, K), before any was full; −1 for none.</param>
/// <param name="Losses">The balance losses that are switched on, unweighted; empty outside training.</param>
public sealed record Routing(Assignment Assignment, RouterScores Scores, Ints Choices, IReadOnlyList<BalanceLoss> Losses)
{
    private static readonly Func<Routing> New = static () => new Routing(null!, RouterScores.None, default, []);

    /// <summary>Which token goes to which expert, and with which gate.</summary>
    public Assignment Assignment { get; private set; } = Assignment;

    /// <summary>What it thinks of every expert.</summary>
    public RouterScores Scores { get; private set; } = Scores;

    /// <summary>The experts that each token wanted (N, K), before any was full; −1 for none.</summary>
    public Ints Choices { get; private set; } = Choices;

    /// <summary>The balance losses that are switched on, unweighted; empty outside training.</summary>
    public IReadOnlyList<BalanceLoss> Losses { get; private set; } = Losses;

    /// <summary>The same, as long as the step of the tape that the assignment is on.</summary>
    internal static Routing Of(Assignment assignment, RouterScores scores, Ints choices, IReadOnlyList<BalanceLoss> losses)
    {
        Routing routing = assignment.Gates.Tape.Take(New);
        (routing.Assignment, routing.Scores, routing.Choices, routing.Losses) = (assignment, scores, choices, losses);
        return routing;
    }

    /// <summary>How many choices of each expert there were before any was dropped:
    /// stored, or added to what other layers counted. counts (E).</summary>
    internal void CountWanted(Target counts)
    {
        int N = Assignment.TokenCount, K = Choices.Length / N;
        Assignment.Gates.Tape.Backend.CountChoices(Choices, 1, N, K, counted: K, Assignment.Experts, scale: 1f, counts);
    }
}

/// <summary>What a router thinks of every expert, as far as it has an opinion.</summary>
public sealed class RouterScores
{
    private static readonly Func<RouterScores> New = static () => new RouterScores(null);

    private Tensor? probabilities;

    /// <summary>Probabilities are the softmax of the logits, unless given. logits, probabilities (N, E).</summary>
    internal RouterScores(Tensor? logits, Tensor? probabilities = null) => (Logits, this.probabilities) = (logits, probabilities);

    /// <summary>The scores of a router without an opinion.</summary>
    internal static RouterScores None { get; } = new(null);

    /// <summary>The scores of these logits, as long as the step of their tape. logits, probabilities (N, E).</summary>
    internal static RouterScores Of(Tensor logits, Tensor? probabilities = null)
    {
        RouterScores scores = logits.Tape.Take(New);
        (scores.Logits, scores.probabilities) = (logits, probabilities);
        return scores;
    }

    /// <summary>The logits without noise (N, E); null for a router that has none.</summary>
    public Tensor? Logits { get; private set; }

    /// <summary>Probabilities over all experts (N, E); null for a router that has none.</summary>
    public Tensor? Probabilities => probabilities ??= Logits?.Softmax();
}

/// <summary>One balance loss of one layer.</summary>
/// <param name="Name">Its name in metrics: balance, sequence, gshard, z, importance, load.</param>
/// <param name="Value">Its unweighted value (1), differentiable.</param>
/// <param name="Weight">Its weight in the training objective.</param>
public sealed record BalanceLoss(string Name, Tensor Value, float Weight);
