namespace TinyMoE.Moe.Routers;

/// <summary>
/// A router that learns a logit for every token and expert, h = x·Wgᵀ
/// with <c>name.router.weight</c> (E, C), perhaps + <c>name.router.bias</c> (E): what most of them begin with.
/// </summary>
internal abstract class GatedRouter : Router
{
    /// <summary>A router with the gate that its configuration asks for.</summary>
    protected GatedRouter(RouterSite site)
        : this(site, new Gate(site, "router"))
    {
    }

    /// <summary>A router with a gate of its own.</summary>
    private protected GatedRouter(RouterSite site, Gate gate)
        : base(site) => Gate = gate;

    /// <summary>The logits.</summary>
    private protected Gate Gate { get; }
}
