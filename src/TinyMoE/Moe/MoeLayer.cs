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
        Router = RouterFactory.Create(store, name, model, moe, layer);
        experts = new Experts(store, name, model, moe);
        shared = moe.SharedExperts == 0 ? null : new SharedExperts(store, name, model, moe);
    }

    /// <summary>Who decides.</summary>
    public IRouter Router { get; }

    /// <summary>x (T, C) to y (T, C), with what the router decided.</summary>
    public (Tensor Y, Routing Routing) Forward(Tensor x, RoutingContext context)
    {
        Routing routing = Router.Route(x, context);
        Assignment assignment = routing.Assignment;
        Dropout dropout = context.Pass.Dropout(config.ExpertDropout, RandomPurpose.ExpertDropout, layer);
        Tensor rows = assignment.Dispatch(experts.Accept(x));    // (N, C)
        Tensor computed = experts.Forward(rows, assignment.Offsets, dropout); // (N, C)
        Tensor y = assignment.Combine(computed);                 // (T, C)
        return (shared is null ? y : y.Add(shared.Forward(x)), routing);
    }
}
