using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Moe.Routers;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Moe;

/// <summary>A sparse feed-forward layer: route, dispatch, experts, combine; and the shared experts that every token passes.</summary>
public sealed class MoeLayer
{
    private readonly MoeConfig config;
    private readonly int layer, hidden;
    private readonly FeedForward experts;
    private readonly SharedExperts? shared;

    internal MoeLayer(ParameterStore store, string name, ModelConfig model, MoeConfig moe, int layer)
    {
        (config, this.layer, hidden) = (moe, layer, moe.HiddenOrDefault(model.Width));
        Router = RouterFactory.Create(new RouterSite(store, name, model, moe, layer));
        experts = new FeedForward(
            store, $"{name}.experts", ModelPart.Experts, model, hidden, moe.ExpertBiases, moe.Experts,
            moe.ExpertPrecision == ElementType.Bfloat16 ? ElementType.Bfloat16 : null);
        shared = moe.SharedExperts == 0 ? null : new SharedExperts(store, name, model, moe);
    }

    /// <summary>What decides which tokens go to which experts.</summary>
    public Router Router { get; }

    /// <summary>x (N, C) to y (N, C), with what the router decided.</summary>
    public (Tensor Y, Routing Routing) Forward(Tensor x, RoutingContext context) => Forward(x, context, known: null);

    /// <summary>The same; what <paramref name="known"/> has of the experts' output is not computed again.</summary>
    internal (Tensor Y, Routing Routing) Forward(Tensor x, RoutingContext context, ExpertRows? known)
    {
        Routing routing = Router.Route(x, context);
        Assignment assignment = routing.Assignment;
        Dropout dropout = context.Pass.Dropout(config.ExpertDropout, RandomPurpose.ExpertDropout, layer);
        // Rounded before tokens are dispatched, which is cheaper than after.
        Tensor seen = config.ExpertPrecision == ElementType.Bfloat16 ? x.RoundToBfloat16() : x;
        Tensor computed = known is null ? Compute(assignment, seen, dropout) // (rows, C)
            : known.For(assignment, (Layer: this, X: seen), static (others, of) => of.Layer.Compute(others, of.X, default));
        context.Pass.Observer?.OnExpertRows(layer, computed);
        Tensor y = assignment.Combine(computed);                 // (N, C)
        return (shared is null ? y : y.Add(shared.Forward(x)), routing);
    }

    /// <summary>What the experts give for the tokens that they have. x (N, C), result (rows, C).</summary>
    private Tensor Compute(Assignment assignment, Tensor x, in Dropout dropout) =>
        experts.Forward(assignment.DispatchToProducts(x, hidden), assignment.Offsets, dropout);
}
