using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Moe.Losses;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// Noisy top-k gating (Shazeer et al. 2017, section 2.1 and appendix A).
/// <code>
/// c = x·Wgᵀ                                clean logits
/// σ = softplus(x·Wnᵀ) + ε                  ε = moe.noise_epsilon, 0.01
/// H = c + N(0, 1)·σ in training, c otherwise
/// I = the K largest H;  g = softmax(H over I)
/// </code>
/// The noise sees the logits, before any softmax, and only in training. The paper's losses: moe.importance_loss
/// and moe.load_loss, 0.01 here. Any K; with K = 1 every gate is 1 and only the load loss teaches the router.
/// </summary>
internal sealed class NoisyTopKRouter : GatedRouter
{
    private readonly Linear noise;

    /// <summary>
    /// Adds <c>name.router.weight</c> and <c>name.router.noise.weight</c> (E, C), both zero as in the paper: all experts begin equal.
    /// Only the Kaiming initialisation draws them like every other matrix, as makeMoE does.
    /// </summary>
    public NoisyTopKRouter(RouterSite site)
        : base(site, new Gate(site with { Moe = site.Moe with { LogitNoise = 0 } }, "router", First(site.Model))) =>
        noise = new Linear(site.Store, $"{site.Name}.router.noise", ModelPart.Router, site.Model.Width, Config.Experts, First(site.Model));

    /// <inheritdoc/>
    public override Routing Route(Tensor x, RoutingContext context)
    {
        int E = Config.Experts, K = Config.Active;
        GateLogits logits = Gate.Forward(x, context);            // (N, E)
        if (!context.Pass.Training)
            return Choice.TopK(logits, K, overAll: false, context);

        Tensor spread = noise.ForwardToFloat32(x), draws = context.Pass.RouterNoise(logits.Clean, Layer); // (N, E)
        (Tensor noisy, Tensor sigma) = logits.Noisy.NoisyLogits(spread, draws, Config.NoiseEpsilon);
        IEnumerable<BalanceLoss> load = [];
        if (Config.LoadLoss > 0f && K < E)
        {
            Tensor smooth = LoadLoss.SmoothLoad(logits.Clean, noisy, sigma, K, context.Tokens.Mask);
            load = [new BalanceLoss("load", LoadLoss.Of(smooth), Config.LoadLoss)];
        }

        return Choice.TopK(logits with { Noisy = noisy }, K, overAll: false, context, load);
    }

    private static Initializer First(ModelConfig model) =>
        model.Init == InitKind.Kaiming ? new WeightInit(model).Matrix(model.Width) : Initializer.Zeros;
}
