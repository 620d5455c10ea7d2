using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// BASE layers (Lewis et al. 2021): one expert a token, as many tokens an expert.
/// <code>
/// a = x·cᵀ                        affinity to each expert's centroid c
/// training:   e = the assignment with equal loads that makes Σ_t a[t, e_t] (nearly) the largest, by auction
/// otherwise:  e = argmax a
/// y = σ(a[e])·FFN_e(x)
/// </code>
/// Balanced by construction, so no balance loss. The assignment looks at the whole batch; evaluation and generation do not.
/// Centroids begin as the configuration's matrices do (the paper: orthogonal of gain 0.1), and so does the experts' output (the paper: zero).
/// </summary>
public sealed class BaseRouter : IRouter
{
    private readonly Gate centroids;
    private readonly TokenChoice choice;

    /// <summary>Adds <c>name.router.centroids.weight</c> (E, C) to the store.</summary>
    public BaseRouter(ParameterStore store, string name, ModelConfig model, MoeConfig config, int layer)
    {
        centroids = new Gate(store, $"{name}.router.centroids", model, config, layer);
        choice = new TokenChoice(config, layer);
    }

    /// <inheritdoc/>
    public Routing Route(Tensor x, RoutingContext context)
    {
        GateLogits affinity = centroids.Forward(x, context);     // (T, E)
        Ints choices = context.Pass.Training ? context.WithoutPadding(affinity.Noisy).AssignBalanced() : affinity.Noisy.TopK(1);
        Tensor gates = affinity.Noisy.SelectColumns(choices, K: 1).Sigmoid(); // (T, 1)
        return choice.Choose(new RouterScores(affinity.Clean), choices, gates, context);
    }
}
