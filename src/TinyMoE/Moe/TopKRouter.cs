using TinyMoE.Configuration;
using TinyMoE.Nn;
using TinyMoE.Tensors;

namespace TinyMoE.Moe;

/// <summary>
/// Top-k routing as in Mixtral (Jiang et al. 2024) and, without renormalisation, OLMoE (Muennighoff et al. 2024).
/// h = x·Wgᵀ; each token takes the K experts with the largest logits; gates are softmax(h) over those K, or over all E.
/// With K = 1 the gate is the probability over all: renormalised it would be the constant 1 and teach the router nothing.
/// </summary>
public sealed class TopKRouter : IRouter
{
    private readonly MoeConfig config;
    private readonly Linear gate;

    /// <summary>Adds <c>name.gate.weight</c> (E, C) to the store.</summary>
    public TopKRouter(ParameterStore store, string name, ModelConfig model, MoeConfig config)
    {
        this.config = config;
        gate = new Linear(store, $"{name}.gate", model.Width, config.Experts, new WeightInit(model).Matrix(model.Width));
    }

    /// <inheritdoc/>
    public Routing Route(Tensor x, Pass pass)
    {
        int K = config.Active;
        Tensor logits = gate.Forward(x);                         // (T, E)
        (Ints choices, Assignment assignment) = Assignment.TopK(logits, K, overAll: !config.Renormalize || K == 1);

        List<BalanceLoss> losses = [];
        if (pass.Training)
            BalanceLosses.Add(losses, config, logits, choices, assignment);
        return new Routing(assignment, logits, losses);
    }
}
