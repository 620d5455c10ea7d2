using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// The dense mixture (Jacobs et al. 1991): every expert on every token.
/// <code>
/// g = softmax(x·Wgᵀ)                y = Σ_e g_e·FFN_e(x)
/// </code>
/// It costs E/K times as much as sparse routing and is what sparse routing approximates; with K = E top-k routing is the same function.
/// </summary>
internal sealed class SoftRouter(RouterSite site) : GatedRouter(site)
{
    /// <inheritdoc/>
    public override Routing Route(Tensor x, RoutingContext context)
    {
        GateLogits logits = Gate.Forward(x, context);
        Tensor gates = logits.Noisy.Softmax();                   // (N, E)
        Ints everyone = gates.ChooseTokens(active: gates.Shape[1]); // each expert takes every token
        return Choice.Choose(RouterScores.Of(logits.Clean), everyone, gates, context);
    }
}
