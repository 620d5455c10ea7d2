using TinyMoE.Configuration;
using TinyMoE.Layers;
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
public sealed class SoftRouter : IRouter
{
    private readonly Gate gate;
    private readonly TokenChoice choice;

    /// <summary>Adds <c>name.router.weight</c> (E, C) to the store.</summary>
    public SoftRouter(ParameterStore store, string name, ModelConfig model, MoeConfig config, int layer)
    {
        gate = new Gate(store, $"{name}.router", model, config, layer);
        choice = new TokenChoice(config, layer);
    }

    /// <inheritdoc/>
    public Routing Route(Tensor x, RoutingContext context)
    {
        GateLogits logits = gate.Forward(x, context);
        Tensor gates = logits.Noisy.Softmax();                   // (T, E)
        Ints everyone = gates.ChooseTokens(active: gates.Shape[1]); // each expert takes every token
        return choice.Choose(new RouterScores(logits.Clean), everyone, gates, context);
    }
}
