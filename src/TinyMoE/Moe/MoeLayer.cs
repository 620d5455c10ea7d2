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
    public (Tensor Y, Routing Routing) Forward(Tensor x, RoutingContext context)
    {
        Routing routing = Router.Route(x, context);
        Assignment assignment = routing.Assignment;
        Dropout dropout = context.Pass.Dropout(config.ExpertDropout, RandomPurpose.ExpertDropout, layer);
        // Rounded before tokens are dispatched, which is cheaper than after.
        Tensor seen = config.ExpertPrecision == ElementType.Bfloat16 ? x.RoundToBfloat16() : x;
        Tensor rows = assignment.DispatchToProducts(seen, hidden); // (rows, C)
        Tensor computed = experts.Forward(rows, assignment.Offsets, dropout); // (rows, C)
        context.Pass.Observer?.OnExpertRows(layer, computed);
        Tensor y = assignment.Combine(computed);                 // (N, C)
        return (shared is null ? y : y.Add(shared.Forward(x)), routing);
    }
}
