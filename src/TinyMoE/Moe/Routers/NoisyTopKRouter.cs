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
/// The noise sees the logits, before any softmax, and only in training. The paper's losses: moe.importance_loss and moe.load_loss, 0.01 here.
/// Any K; with K = 1 every gate is 1 and only the load loss teaches the router.
/// </summary>
public sealed class NoisyTopKRouter : IRouter
{
    private readonly MoeConfig config;
    private readonly int layer;
    private readonly Gate gate;
    private readonly Linear noise;
    private readonly TokenChoice choice;

    /// <summary>
    /// Adds <c>name.router.weight</c> and <c>name.router.noise.weight</c> (E, C), both zero as in the paper: all experts begin equal.
    /// Only the Kaiming initialisation draws them like every other matrix, as makeMoE does.
    /// </summary>
    public NoisyTopKRouter(ParameterStore store, string name, ModelConfig model, MoeConfig config, int layer)
    {
        (this.config, this.layer) = (config, layer);
        Initializer initializer = model.Init == InitKind.Kaiming ? new WeightInit(model).Matrix(model.Width) : Initializer.Zeros;
        gate = new Gate(store, $"{name}.router", model, config with { LogitNoise = 0 }, layer, initializer);
        noise = new Linear(store, $"{name}.router.noise", ModelPart.Router, model.Width, config.Experts, initializer);
        choice = new TokenChoice(config, layer);
    }

    /// <inheritdoc/>
    public Routing Route(Tensor x, RoutingContext context)
    {
        int E = config.Experts, K = config.Active;
        GateLogits logits = gate.Forward(x, context);            // (T, E)
        if (!context.Pass.Training)
            return choice.TopK(logits, K, overAll: false, context);

        (Tensor noisy, Tensor sigma) = logits.Noisy.NoisyLogits(noise.Forward(x), context.Pass.RouterNoise(logits.Clean, layer), config.NoiseEpsilon); // (T, E)
        IEnumerable<BalanceLoss> load = config.LoadLoss > 0f && K < E
            ? [new BalanceLoss("load", LoadLoss.Of(LoadLoss.SmoothLoad(logits.Clean, noisy, sigma, K, context.Tokens.Mask)), config.LoadLoss)]
            : [];
        return choice.TopK(logits with { Noisy = noisy }, K, overAll: false, context, load);
    }
}
