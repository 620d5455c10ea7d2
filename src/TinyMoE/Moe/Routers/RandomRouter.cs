using TinyMoE.Layers;
using TinyMoE.Memory;
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
    private const int Together = 256; // positions that are drawn for at least, so that memory of one size serves many tokens

    /// <inheritdoc/>
    public override Routing Route(Tensor x, RoutingContext context)
    {
        TokenBatch tokens = context.Tokens;
        int K = Config.Active, E = Config.Experts;
        Tape tape = x.Tape;
        int drawn = Ceiling.Multiple(tokens.End, Together); // a row is the same among few and among many
        RandomKey key = context.Pass.Key(RandomPurpose.RandomRouting, Layer);
        Tensor draws = context.Pass.Training
            ? tape.Uniform((tokens.Count, E), key)
            : tape.Embedding(tape.Uniform((drawn, E), key), tokens.Positions(tape)); // (N, E)
        if (context.Pass.MaskOf(Layer) is { } mask)
            draws = mask.Apply(draws);
        return Choice.Choose(RouterScores.None, draws.TopK(K), TokenChoice.EqualGates(tape, tokens.Count, K), context);
    }
}
