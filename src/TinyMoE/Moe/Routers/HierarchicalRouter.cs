using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// A hierarchical mixture (Shazeer et al. 2017, appendix B): each of G groups is
/// itself a sparse mixture of E/G experts, and a gate over groups mixes them.
/// <code>
/// a = x·Waᵀ (N, G);   b_g = x·W_gᵀ (N, E/G) for each group g
/// outer: the moe.active_groups largest a, gates g_a = softmax over those
/// inner: of each of them the K/active_groups largest b, gates g_ab = softmax over those
/// y = Σ_a Σ_b g_a·g_ab·FFN_ab(x)
/// </code>
/// Written flat, as products of gates on E experts, it is one Assignment and one product of all experts. moe.renormalize false takes
/// both softmaxes over all. A gate with one choice takes its softmax over all, so that it learns. With one group it is top-k routing.
/// </summary>
internal sealed class HierarchicalRouter : GatedRouter
{
    private readonly Gate? outer;

    /// <summary>
    /// Adds <c>name.router.weight</c> (E, C), the gates inside the groups, one after
    /// another, and with several groups <c>name.router.groups.weight</c> (G, C).
    /// </summary>
    public HierarchicalRouter(RouterSite site)
        : base(site) => outer = Config.Groups == 1 ? null
            : new Gate(site with { Moe = Config with { LogitNoise = 0, GateDropout = 0 } }, "router.groups", outputs: Config.Groups);

    /// <inheritdoc/>
    public override Routing Route(Tensor x, RoutingContext context)
    {
        int E = Config.Experts, G = Config.Groups, M = E / G, K = Config.Active, groupsOf = Config.ActiveGroups, each = K / groupsOf;
        GateLogits logits = Gate.Forward(x, context);           // (N, E)
        if (outer is null)
            return Choice.TopK(logits, K, overAll: !Config.Renormalize || K == 1, context);

        int N = logits.Clean.Shape[0];
        Tensor groupLogits = outer.Forward(x, context).Clean;    // (N, G)
        Tensor openGroups = context.Pass.MaskOf(Layer)?.ApplyToGroups(groupLogits) ?? groupLogits;
        Ints groups = openGroups.TopK(groupsOf);                 // (N, A)
        Ints best = logits.Noisy.Reshape((N * G, M)).TopK(each); // (N, G, K/A), experts of every group, counted inside it
        Ints choices = x.Tape.ChooseInGroups(groups, groupsOf, best, each, G, M); // (N, A, K/A)

        Tensor outerGates = SoftmaxOfChosen(openGroups, groups, groupsOf); // (N, A)
        Tensor innerGates = each == 1 || !Config.Renormalize
            ? logits.Noisy.Reshape((N * G, M)).Softmax().Reshape((N, E)).SelectColumns(choices, K)
            : logits.Noisy.SelectColumns(choices, K).Reshape((N * groupsOf, each)).Softmax().Reshape((N, K));
        Tensor gates = innerGates.Reshape((N * groupsOf, each)).Multiply(outerGates.Reshape((N * groupsOf, 1))).Reshape((N, K));

        Tensor within = logits.Clean.Reshape((N * G, M)).Softmax();  // p of an expert = p of its group · p inside it
        Tensor probabilities = within.Multiply(groupLogits.Softmax().Reshape((N * G, 1))).Reshape((N, E));
        return Choice.Choose(RouterScores.Of(logits.Clean, probabilities), choices, gates, context);
    }

    private Tensor SoftmaxOfChosen(Tensor logits, Ints columns, int K) => K == 1 || !Config.Renormalize
        ? logits.Softmax().SelectColumns(columns, K)
        : logits.SelectColumns(columns, K).Softmax();
}
