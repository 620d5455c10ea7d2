using TinyMoE.Configuration;
using TinyMoE.Moe.Losses;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// What is the same for every router once it knows what it wants: padding reaches no expert, a full expert drops what comes too much,
/// the rest is an <see cref="Assignment"/>, and the balance losses of the configuration are added in training. Capacity (Lepikhin et
/// al. 2020; Fedus et al. 2021): an expert serves at most ⌊factor·N·K/E⌋ of N tokens that count, and not less than moe.min_capacity.
/// </summary>
internal sealed class TokenChoice(MoeConfig config, int layer)
{
    private readonly bool drops = RouterTraits.Of(config.Router).Drops;
    private readonly int active = config.ActiveOfRouter;

    /// <summary>
    /// The K experts of the largest logits, or of the largest of what of them is <paramref name="open"/> to the choice; gates are the
    /// softmax over those, or <paramref name="overAll"/>, times a scaling. logits, open (N, E).
    /// </summary>
    public Routing TopK(
        GateLogits logits, int K, bool overAll, RoutingContext context, IEnumerable<BalanceLoss>? ownLosses = null, Tensor? open = null,
        float scaling = 1f)
    {
        RouterScores scores = RouterScores.Of(logits.Clean);
        Tensor used = logits.Noisy;
        ownLosses ??= FixedNoiseLoad(logits, K, context);
        open ??= used;
        bool areEnough = context.Pass.MaskOf(layer) is not { } mask || mask.OpenCount >= K;
        if (open == used && scaling == 1f && context.Tokens.Mask is null && Capacity(context) >= context.Counting && areEnough)
        {
            (Ints wanted, Assignment assignment) = Assignment.TopK(used, K, overAll);
            return Finish(scores, wanted, K, assignment, gates: null, context, ownLosses);
        }

        Ints choices = open.TopK(K);
        Tensor gates = overAll ? (used == logits.Clean ? scores.Probabilities! : used.Softmax()).SelectColumns(choices, K)
            : used.SelectColumns(choices, K).Softmax();
        if (scaling != 1f)
            gates = gates.Scale(scaling);
        return Choose(scores, choices, gates, context, ownLosses: ownLosses);
    }

    /// <summary>These choices with these gates (N, K). <paramref name="rows"/>: most rows that can be needed.
    /// <paramref name="offered"/>: what of the choices is asked for, where that is not all.</summary>
    public Routing Choose(
        RouterScores scores, Ints choices, Tensor gates, RoutingContext context, int? rows = null, Ints offered = default,
        IEnumerable<BalanceLoss>? ownLosses = null)
    {
        int N = gates.Shape[0], K = gates.Shape[1], E = config.Experts;
        if (context.Pass.MaskOf(layer) is { } open)
        {
            if (open.Forced is { } forced && scores == RouterScores.None)
                (K, choices, gates) = (1, AllTo(forced, gates.Tape, N), gates.Tape.Filled((N, 1), 1f));
            else
                choices = open.Keep(gates.Tape, choices, K);
        }

        if (offered.IsNone)
            offered = choices;
        if (context.Tokens.Mask is { } mask)
        {
            Tensor counts = gates.Tape.Filled(gates.Shape, 1f).Multiply(mask.Column); // (N, K)
            (choices, offered) = (counts.KeepChoices(choices), counts.KeepChoices(offered));
        }

        int capacity = Capacity(context);
        if (capacity < context.Counting)
        {
            offered = gates.Tape.LimitCapacity(offered, K, E, capacity, Priority(gates, context));
            rows = (int)Math.Min((long)N * K, (long)E * capacity);
        }

        Assignment assignment = Assignment.FromChoices(offered, gates, E, rows);
        return Finish(scores, choices, K, assignment, gates, context, ownLosses);
    }

    /// <summary>The gates of a router that has no opinion: 1/K everywhere, a constant (N, K).</summary>
    public static Tensor EqualGates(Tape tape, int N, int K) => tape.Filled((N, K), 1f / K);

    /// <summary>The choices (N, 1) of a router that knows one expert only.</summary>
    private static Ints AllTo(int expert, Tape tape, int N)
    {
        int[] choices = new int[N];
        Array.Fill(choices, expert);
        return tape.Ints(choices);
    }

    /// <summary>gates (N, K); null where nothing was dropped and the Assignment has them all.</summary>
    private Routing Finish(
        RouterScores scores, Ints choices, int K, Assignment assignment, Tensor? gates, RoutingContext context,
        IEnumerable<BalanceLoss>? ownLosses)
    {
        if (!context.Pass.Training)
            return Routing.Of(assignment, scores, choices, []);
        Tensor? importance = config.ImportanceLoss == 0f || scores.Logits is null ? null
            : gates is null ? assignment.Importance()
            : gates.ScatterColumns(choices, config.Experts).SumRows();
        IReadOnlyList<BalanceLoss> losses = BalanceLosses.Of(config, scores, choices, K, active, importance, context.Tokens, ownLosses);
        return Routing.Of(assignment, scores, choices, losses);
    }

    /// <summary>V-MoE's load loss, where the configuration wants one and has the noise for it.</summary>
    private IEnumerable<BalanceLoss>? FixedNoiseLoad(GateLogits logits, int K, RoutingContext context) =>
        context.Pass.Training && config.LoadLoss > 0f && config.LogitNoise > 0f && K < config.Experts
            ? [new BalanceLoss("load", LoadLoss.Of(
                LoadLoss.FixedNoiseLoad(logits.Clean, logits.Noisy, Gate.NoiseDeviation(config), K, context.Tokens.Mask)), config.LoadLoss)]
            : null;

    private int Capacity(RoutingContext context) => drops ? config.CapacityOf(context.Counting, context.Pass.Training) : context.Counting;

    /// <summary>The order of choices at a full expert (N, K), largest first; null: the order of the tokens.</summary>
    private Tensor? Priority(Tensor gates, RoutingContext context) => config.Drop switch
    {
        DropOrder.Probability => gates,
        DropOrder.Random => gates.Tape.Uniform(gates.Shape, context.Pass.Key(RandomPurpose.DropOrder, layer)),
        _ => null,
    };
}
