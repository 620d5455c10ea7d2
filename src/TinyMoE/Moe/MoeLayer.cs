using TinyMoE.Configuration;
using TinyMoE.Nn;
using TinyMoE.Tensors;

namespace TinyMoE.Moe;

/// <summary>A sparse feed-forward layer: route, dispatch, experts, combine.</summary>
public sealed class MoeLayer
{
    private readonly IRouter router;
    private readonly Experts experts;

    internal MoeLayer(ParameterStore store, string name, ModelConfig model, MoeConfig moe, int layer)
    {
        router = Routers.Create(store, name, model, moe, layer);
        experts = new Experts(store, name, model, moe);
    }

    /// <summary>x (T, C) to y (T, C), with what the router decided.</summary>
    public (Tensor Y, Routing Routing) Forward(Tensor x, Pass pass)
    {
        Routing routing = router.Route(x, pass);
        Assignment assignment = routing.Assignment;
        Tensor rows = assignment.Dispatch(experts.Accept(x));    // (N, C)
        Tensor computed = experts.Forward(rows, assignment.Offsets); // (N, C)
        return (assignment.Combine(computed), routing);          // (T, C)
    }
}
