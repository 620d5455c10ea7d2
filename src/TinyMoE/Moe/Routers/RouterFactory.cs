using TinyMoE.Configuration;
using TinyMoE.Layers;

namespace TinyMoE.Moe.Routers;

/// <summary>Makes the router that a configuration names.</summary>
internal static class RouterFactory
{
    public static IRouter Create(ParameterStore store, string name, ModelConfig model, MoeConfig moe, int layer) => moe.Router switch
    {
        RouterKind.TopK => new TopKRouter(store, name, model, moe, layer),
        RouterKind.NoisyTopK => new NoisyTopKRouter(store, name, model, moe, layer),
        RouterKind.Switch => new SwitchRouter(store, name, model, moe, layer),
        RouterKind.GShard => new GShardRouter(store, name, model, moe, layer),
        RouterKind.ExpertChoice => new ExpertChoiceRouter(store, name, model, moe, layer),
        RouterKind.Base => new BaseRouter(store, name, model, moe, layer),
        RouterKind.Sinkhorn => new SinkhornRouter(store, name, model, moe, layer),
        RouterKind.Hash => new HashRouter(store, name, model, moe, layer),
        RouterKind.Task => new TaskRouter(store, name, moe, layer),
        RouterKind.Soft => new SoftRouter(store, name, model, moe, layer),
        RouterKind.Hierarchical => new HierarchicalRouter(store, name, model, moe, layer),
        RouterKind.DeepSeek => new DeepSeekRouter(store, name, model, moe, layer),
        RouterKind.Random => new RandomRouter(moe, layer),
        RouterKind.Uniform => new UniformRouter(moe, layer),
        _ => throw new InvalidOperationException($"No router {moe.Router}."),
    };
}
