using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// Top-k routing as in Mixtral (Jiang et al. 2024) and GPT-OSS and, without renormalisation, OLMoE (Muennighoff et al. 2024), Qwen2-MoE and
/// DeepSeek-V2.
/// <code>
/// h = x·Wgᵀ                                  logits, (N, E); + b with moe.router_bias (GPT-OSS)
/// groups: of moe.groups, those moe.active_groups with the largest h stay in the choice (DeepSeek-V2)
/// I = the K experts with the largest h       lower expert among equals
/// g = softmax(h over I)                      moe.renormalize = true: Mixtral; the same as softmax over all, divided by its sum over I
///   = softmax(h over all)[I]                 moe.renormalize = false: OLMoE; the sum is below 1
/// times moe.routed_scaling                   DeepSeek-V2: 16
/// </code>
/// With K = 1 and moe.renormalize=true the gate is the constant 1 and the text teaches the router nothing: only given weights may have it.
/// Usual losses: moe.balance_loss 0.01, moe.z_loss 0.001 (OLMoE).
/// </summary>
internal sealed class TopKRouter(RouterSite site) : GatedRouter(site)
{
    /// <inheritdoc/>
    public override Routing Route(Tensor x, RoutingContext context)
    {
        GateLogits logits = Gate.Forward(x, context);            // (N, E)
        Tensor open = ExpertGroups.Open(logits.Noisy, Config, counted: 1);
        return Choice.TopK(logits, Config.Active, overAll: !Config.Renormalize, context, open: open, scaling: Config.RoutedScaling);
    }
}
