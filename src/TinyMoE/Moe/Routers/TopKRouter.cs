using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// Top-k routing as in Mixtral (Jiang et al. 2024) and, without renormalisation, OLMoE (Muennighoff et al. 2024) and Qwen2-MoE.
/// <code>
/// h = x·Wgᵀ                                  logits, (N, E)
/// I = the K experts with the largest h       lower expert among equals
/// g = softmax(h over I)                      moe.renormalize = true: Mixtral; the same as softmax over all, divided by its sum over I
///   = softmax(h over all)[I]                 moe.renormalize = false: OLMoE; the sum is below 1
/// </code>
/// With K = 1 the gate is the probability over all: renormalised it would be the constant 1 and the text would teach the router nothing.
/// Usual losses: moe.balance_loss 0.01, moe.z_loss 0.001 (OLMoE).
/// </summary>
internal sealed class TopKRouter(RouterSite site) : GatedRouter(site)
{
    /// <inheritdoc/>
    public override Routing Route(Tensor x, RoutingContext context) =>
        Choice.TopK(Gate.Forward(x, context), Config.Active, overAll: !Config.Renormalize || Config.Active == 1, context);
}
