using TinyMoE.Layers;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// A baseline: K experts drawn at random, with gates 1/K. What a learned router must beat.
/// <code>
/// u uniform, (N, E);  I = the K largest u;  g = 1/K
/// </code>
/// Training draws anew at every step. Evaluation and generation draw once for
/// each position, so that a token's experts do not depend on its neighbours.
/// </summary>
internal sealed class RandomRouter(RouterSite site) : Router(site)
{
    /// <inheritdoc/>
    public override Routing Route(Tensor x, RoutingContext context)
    {
        TokenBatch tokens = context.Tokens;
        int K = Config.Active, E = Config.Experts;
        Tape tape = x.Tape;
        RandomKey key = context.Pass.Key(RandomPurpose.RandomRouting, Layer);
        Tensor draws = context.Pass.Training
            ? tape.Uniform((tokens.Count, E), key)
            : tape.Embedding(tape.Uniform((tokens.End, E), key), tokens.Positions(tape)); // (N, E)
        return Choice.Choose(RouterScores.None, draws.TopK(K), TokenChoice.EqualGates(tape, tokens.Count, K), context);
    }
}
