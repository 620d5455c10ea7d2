using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Moe.Routers;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Moe;

/// <summary>A sparse feed-forward layer: route, dispatch, experts, combine; and the shared experts that every token passes.</summary>
public sealed class MoeLayer
{
    private readonly MoeConfig config;
    private readonly int layer;
    private readonly Experts experts;
    private readonly SharedExperts? shared;

    internal MoeLayer(ParameterStore store, string name, ModelConfig model, MoeConfig moe, int layer)
    {
        (config, this.layer) = (moe, layer);
        Router = RouterFactory.Create(new RouterSite(store, name, model, moe, layer));
        experts = new Experts(store, name, model, moe);
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
        Tensor rows = assignment.Dispatch(experts.Accept(x));    // (rows, C)
        Tensor computed = experts.Forward(rows, assignment.Offsets, dropout); // (rows, C)
        Tensor y = assignment.Combine(computed);                 // (N, C)
        return (shared is null ? y : y.Add(shared.Forward(x)), routing);
    }
}
