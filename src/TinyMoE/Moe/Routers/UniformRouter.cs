using TinyMoE.Layers;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// A baseline: experts in turn, with gates 1/K. Perfectly balanced, and knows nothing of the text.
/// <code>
/// I(t) = (p·K + k) mod E for k &lt; K,  p the position of t in its sequence;  g = 1/K
/// </code>
/// </summary>
internal sealed class UniformRouter(RouterSite site) : Router(site)
{
    private int[] turns = [];

    /// <inheritdoc/>
    public override Routing Route(Tensor x, RoutingContext context)
    {
        TokenBatch tokens = context.Tokens;
        int K = Config.Active, E = Config.Experts;
        if (turns.Length != tokens.Count * K)
            turns = new int[tokens.Count * K];
        for (int i = 0; i < turns.Length; i++)
            turns[i] = (int)(((long)(tokens.Start + i / K % tokens.T) * K + i % K) % E);
        return Choice.Choose(RouterScores.None, x.Tape.Ints(turns), TokenChoice.EqualGates(x.Tape, tokens.Count, K), context);
    }
}
