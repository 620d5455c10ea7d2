using TinyMoE.Configuration;

namespace TinyMoE.Moe.Routers;

/// <summary>Makes the router that a configuration names.</summary>
internal static class RouterFactory
{
    public static Router Create(RouterSite site) => site.Moe.Router switch
    {
        RouterKind.TopK => new TopKRouter(site),
        RouterKind.NoisyTopK => new NoisyTopKRouter(site),
        RouterKind.Switch => new SwitchRouter(site),
        RouterKind.GShard => new GShardRouter(site),
        RouterKind.ExpertChoice => new ExpertChoiceRouter(site),
        RouterKind.Base => new BaseRouter(site),
        RouterKind.Sinkhorn => new SinkhornRouter(site),
        RouterKind.Hash => new HashRouter(site),
        RouterKind.Task => new TaskRouter(site),
        RouterKind.Soft => new SoftRouter(site),
        RouterKind.Hierarchical => new HierarchicalRouter(site),
        RouterKind.DeepSeek => new DeepSeekRouter(site),
        RouterKind.Random => new RandomRouter(site),
        RouterKind.Uniform => new UniformRouter(site),
        _ => throw new InvalidOperationException($"No router {site.Moe.Router}."),
    };
}
