using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// A hierarchical mixture (Shazeer et al. 2017, appendix B): each of G groups is itself a sparse mixture of E/G experts, and a gate over groups mixes them.
/// <code>
/// a = x·Waᵀ (T, G);   b_g = x·W_gᵀ (T, E/G) for each group g
/// outer: the moe.active_groups largest a, gates g_a = softmax over those
/// inner: of each of them the K/active_groups largest b, gates g_ab = softmax over those
/// y = Σ_a Σ_b g_a·g_ab·FFN_ab(x)
/// </code>
/// Written flat, as products of gates on E experts, it is one Assignment and one product of all experts. moe.renormalize false takes both softmaxes over all.
/// A gate with one choice takes its softmax over all, so that it learns. With one group it is top-k routing.
/// </summary>
public sealed class HierarchicalRouter : IRouter
{
    private readonly MoeConfig config;
    private readonly Gate? outer;
    private readonly Gate inner;
    private readonly TokenChoice choice;

    /// <summary>Adds <c>name.router.weight</c> (E, C), the gates inside the groups, one after another, and with several groups <c>name.router.groups.weight</c> (G, C).</summary>
    public HierarchicalRouter(ParameterStore store, string name, ModelConfig model, MoeConfig config, int layer)
    {
        this.config = config;
        inner = new Gate(store, $"{name}.router", model, config, layer);
        outer = config.Groups == 1 ? null : new Gate(store, $"{name}.router.groups", model, config with { LogitNoise = 0, GateDropout = 0 }, layer, outputs: config.Groups);
        choice = new TokenChoice(config, layer);
    }

    /// <inheritdoc/>
    public Routing Route(Tensor x, RoutingContext context)
    {
        int E = config.Experts, G = config.Groups, M = E / G, K = config.Active, groupsOf = config.ActiveGroups, each = K / groupsOf;
        GateLogits logits = inner.Forward(x, context);           // (T, E)
        if (outer is null)
            return choice.TopK(logits, K, overAll: !config.Renormalize || K == 1, context);

        int T = logits.Clean.Shape[0];
        Tensor groupLogits = outer.Forward(x, context).Clean;    // (T, G)
        Ints groups = groupLogits.TopK(groupsOf);                // (T, A)
        Ints best = logits.Noisy.Reshape((T * G, M)).TopK(each); // (T, G, K/A), experts of every group, counted inside it
        Ints choices = x.Tape.ChooseInGroups(groups, groupsOf, best, each, G, M); // (T, A, K/A)

        Tensor outerGates = SoftmaxOfChosen(groupLogits, groups, groupsOf); // (T, A)
        Tensor innerGates = each == 1 || !config.Renormalize
            ? logits.Noisy.Reshape((T * G, M)).Softmax().Reshape((T, E)).SelectColumns(choices, K)
            : logits.Noisy.SelectColumns(choices, K).Reshape((T * groupsOf, each)).Softmax().Reshape((T, K));
        Tensor gates = innerGates.Reshape((T * groupsOf, each)).Multiply(outerGates.Reshape((T * groupsOf, 1))).Reshape((T, K));

        Tensor within = logits.Clean.Reshape((T * G, M)).Softmax();  // p of an expert = p of its group · p inside it
        Tensor probabilities = within.Multiply(groupLogits.Softmax().Reshape((T * G, 1))).Reshape((T, E));
        return choice.Choose(new RouterScores(logits.Clean, probabilities), choices, gates, context);
    }

    private Tensor SoftmaxOfChosen(Tensor logits, Ints columns, int K) => K == 1 || !config.Renormalize
        ? logits.Softmax().SelectColumns(columns, K)
        : logits.SelectColumns(columns, K).Softmax();
}
