using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// Sinkhorn routing (S-BASE: Clark et al. 2022, section 3.1; Megatron): loads are balanced by scaling, not by a loss.
/// <code>
/// h = x·Wgᵀ
/// training:   Π = diag(r)·exp(h)·diag(c) whose rows sum to 1/N and columns to 1/E;  I = the K largest of each row of Π
/// otherwise:  I = the K largest h
/// g = softmax(h over all)[I], or for K = 1 σ(h[I])
/// </code>
/// Π only chooses: it has no gradient. It looks at the whole batch; evaluation and generation do not.
/// </summary>
internal sealed class SinkhornRouter(RouterSite site) : GatedRouter(site)
{
    /// <inheritdoc/>
    public override Routing Route(Tensor x, RoutingContext context)
    {
        int K = Config.Active;
        GateLogits logits = Gate.Forward(x, context);            // (N, E)
        Ints choices = (context.Pass.Training ? context.WithoutPadding(logits.Noisy).Sinkhorn() : logits.Noisy).TopK(K);
        Tensor activated = K == 1 ? logits.Noisy.Sigmoid() : logits.Noisy.Softmax();
        return Choice.Choose(RouterScores.Of(logits.Clean), choices, activated.SelectColumns(choices, K), context);
    }
}
