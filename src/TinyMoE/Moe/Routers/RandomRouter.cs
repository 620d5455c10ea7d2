using TinyMoE.Configuration;
using TinyMoE.Layers;
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
        return choice.Choose(RouterScores.None, draws.TopK(K), TokenChoice.EqualGates(tape, tokens.Count, K), context);
    }
}
