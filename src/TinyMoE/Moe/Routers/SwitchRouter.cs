using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// Switch routing (Fedus et al. 2021, "Switch Transformers", section 2.1): one expert per token.
/// <code>
/// h = (x ⊙ u)·Wgᵀ                u uniform in [1 − ε, 1 + ε], in training (moe.jitter, 0.01 in the paper)
/// e = argmax h
/// g = softmax(h)[e]              over all experts and never renormalised: for K = 1 that would be the constant 1
/// y = g·FFN_e(x)                 0 when the expert is full: the residual alone carries the token on
/// </code>
/// The paper's settings: moe.capacity_factor 1.25, evaluation 2.0 (here 0, nothing dropped, unless set),
/// moe.balance_loss 0.01, model.init switch with model.init_scale 0.1, moe.expert_dropout 0.4 in fine-tuning.
/// </summary>
internal sealed class SwitchRouter(RouterSite site) : GatedRouter(site)
{
    /// <inheritdoc/>
    public override Routing Route(Tensor x, RoutingContext context) => Choice.TopK(Gate.Forward(x, context), K: 1, overAll: true, context);
}
