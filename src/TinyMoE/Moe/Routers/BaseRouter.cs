using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// BASE layers (Lewis et al. 2021): one expert per token, as many tokens per expert.
/// <code>
/// a = x·cᵀ                        affinity to each expert's centroid c
/// training:   e = the assignment with equal loads that makes Σ_n a[n, e_n] (nearly) the largest, by auction
/// otherwise:  e = argmax a
/// y = σ(a[e])·FFN_e(x)
/// </code>
/// Balanced by construction, so no balance loss. The assignment looks at the whole batch; evaluation and generation do not.
/// Centroids begin as the configuration's matrices do (the paper: orthogonal
/// of gain 0.1), and so does the experts' output (the paper: zero).
/// </summary>
internal sealed class BaseRouter : Router
{
    private readonly Gate centroids;

    /// <summary>Adds <c>name.router.centroids.weight</c> (E, C) to the site's store.</summary>
    public BaseRouter(RouterSite site)
        : base(site) => centroids = new Gate(site, "router.centroids");

    /// <inheritdoc/>
    public override Routing Route(Tensor x, RoutingContext context)
    {
        GateLogits affinity = centroids.Forward(x, context);     // (N, E)
        Ints choices = context.Pass.Training ? context.WithoutPadding(affinity.Noisy).AssignBalanced() : affinity.Noisy.TopK(1);
        Tensor gates = affinity.Noisy.SelectColumns(choices, K: 1).Sigmoid(); // (N, 1)
        return Choice.Choose(RouterScores.Of(affinity.Clean), choices, gates, context);
    }
}
