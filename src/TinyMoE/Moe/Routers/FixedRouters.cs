using TinyMoE.Configuration;
using TinyMoE.Nn;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// A baseline: K experts drawn at random, with gates 1/K. What a learned router must beat.
/// <code>
/// u uniform, (T, E);  I = the K largest u;  g = 1/K
/// </code>
/// Training draws anew at every step. Evaluation and generation draw once for each position, so that a token's experts do not depend on its neighbours.
/// </summary>
public sealed class RandomRouter : IRouter
{
    private readonly MoeConfig config;
    private readonly int layer;
    private readonly TokenChoice choice;

    /// <summary>Adds nothing to the store.</summary>
    public RandomRouter(MoeConfig config, int layer)
    {
        (this.config, this.layer) = (config, layer);
        choice = new TokenChoice(config, layer);
    }

    /// <inheritdoc/>
    public Routing Route(Tensor x, RoutingContext context)
    {
        TokenBatch tokens = context.Tokens;
        int K = config.Active, E = config.Experts;
        Tape tape = x.Tape;
        RandomKey key = context.Pass.Key(RandomPurpose.RandomRouting, layer);
        Tensor draws = context.Pass.Training
            ? tape.Uniform((tokens.Count, E), key)
            : tape.Embedding(tape.Uniform((tokens.Start + tokens.T, E), key), tokens.Positions(tape)); // (T, E)
        return choice.Choose(RouterScores.None, draws.TopK(K), tape.EqualGates(tokens.Count, K), context);
    }
}

/// <summary>
/// A baseline: experts in turn, with gates 1/K. Perfectly balanced, and knows nothing of the text.
/// <code>
/// I(t) = (p·K + k) mod E for k &lt; K,  p the position of t in its sequence;  g = 1/K
/// </code>
/// </summary>
public sealed class UniformRouter : IRouter
{
    private readonly MoeConfig config;
    private readonly TokenChoice choice;
    private int[] turns = [];

    /// <summary>Adds nothing to the store.</summary>
    public UniformRouter(MoeConfig config, int layer)
    {
        this.config = config;
        choice = new TokenChoice(config, layer);
    }

    /// <inheritdoc/>
    public Routing Route(Tensor x, RoutingContext context)
    {
        TokenBatch tokens = context.Tokens;
        int K = config.Active, E = config.Experts;
        if (turns.Length != tokens.Count * K)
            turns = new int[tokens.Count * K];
        for (int i = 0; i < turns.Length; i++)
            turns[i] = (int)(((long)(tokens.Start + i / K % tokens.T) * K + i % K) % E);
        return choice.Choose(RouterScores.None, x.Tape.Ints(turns), x.Tape.EqualGates(tokens.Count, K), context);
    }
}

/// <summary>Gates of routers that have no opinion.</summary>
internal static class Gates
{
    /// <summary>1/K everywhere, a constant (T, K).</summary>
    public static Tensor EqualGates(this Tape tape, int T, int K)
    {
        Tensor gates = tape.Constant((T, K));
        tape.Backend.Fill(gates.Data, 1f / K);
        return gates;
    }
}
