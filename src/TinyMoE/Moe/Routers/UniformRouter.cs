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
    private const int Few = 256; // numbers that the stack has room for

    /// <inheritdoc/>
    public override Routing Route(Tensor x, RoutingContext context)
    {
        TokenBatch tokens = context.Tokens;
        int K = Config.Active, E = Config.Experts;
        int count = tokens.Count * K;
        Span<int> turns = count <= Few ? stackalloc int[count] : new int[count];
        for (int i = 0; i < turns.Length; i++)
            turns[i] = (int)(((long)tokens.PositionOf(i / K) * K + i % K) % E);
        return Choice.Choose(RouterScores.None, x.Tape.Ints(turns), TokenChoice.EqualGates(x.Tape, tokens.Count, K), context);
    }
}
