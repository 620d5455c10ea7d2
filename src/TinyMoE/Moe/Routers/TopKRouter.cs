using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// Top-k routing as in Mixtral (Jiang et al. 2024) and, without renormalisation, OLMoE (Muennighoff et al. 2024) and Qwen2-MoE.
/// <code>
/// h = x·Wgᵀ                                  logits, (T, E)
/// I = the K experts with the largest h       lower expert among equals
/// g = softmax(h over I)                      moe.renormalize = true: Mixtral; the same as softmax over all, divided by its sum over I
///   = softmax(h over all)[I]                 moe.renormalize = false: OLMoE; the sum is below 1
/// </code>
/// With K = 1 the gate is the probability over all: renormalised it would be the constant 1 and the text would teach the router nothing.
/// Usual losses: moe.balance_loss 0.01, moe.z_loss 0.001 (OLMoE).
/// </summary>
public sealed class TopKRouter : IRouter
{
    private readonly MoeConfig config;
    private readonly Gate gate;
    private readonly TokenChoice choice;

    /// <summary>Adds <c>name.router.weight</c> (E, C) to the store.</summary>
    public TopKRouter(ParameterStore store, string name, ModelConfig model, MoeConfig config, int layer)
    {
        this.config = config;
        gate = new Gate(store, $"{name}.router", model, config, layer);
        choice = new TokenChoice(config, layer);
    }

    /// <inheritdoc/>
    public Routing Route(Tensor x, RoutingContext context) =>
        choice.TopK(gate.Forward(x, context), config.Active, overAll: !config.Renormalize || config.Active == 1, context);
}
