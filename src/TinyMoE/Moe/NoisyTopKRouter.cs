using TinyMoE.Configuration;
using TinyMoE.Nn;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Moe;

/// <summary>
/// Noisy top-k gating (Shazeer et al. 2017, section 2.1 and appendix A).
/// clean = x·Wgᵀ; σ = softplus(x·Wnᵀ) + ε; H = clean + N(0, 1)·σ in training, clean otherwise; gates = softmax(KeepTopK(H)).
/// Load is smooth: the chance that an expert would be among the top k if its own noise alone were drawn again,
/// P = Φ((clean − threshold)/σ), the threshold being the (k+1)-th largest H for the chosen and the k-th for the others.
/// </summary>
public sealed class NoisyTopKRouter : IRouter
{
    private readonly MoeConfig config;
    private readonly int layer;
    private readonly Linear gate;
    private readonly Linear noise;

    /// <summary>
    /// Adds <c>name.gate.weight</c> and <c>name.noise.weight</c> (E, C), both zero as in the paper: all experts begin equal.
    /// Only the Kaiming initialisation draws them like every other matrix, as makeMoE does.
    /// </summary>
    public NoisyTopKRouter(ParameterStore store, string name, ModelConfig model, MoeConfig config, int layer)
    {
        (this.config, this.layer) = (config, layer);
        Initializer initializer = model.Init == InitKind.Kaiming ? new WeightInit(model).Matrix(model.Width) : Initializer.Zeros;
        gate = new Linear(store, $"{name}.gate", model.Width, config.Experts, initializer);
        noise = new Linear(store, $"{name}.noise", model.Width, config.Experts, initializer);
    }

    /// <inheritdoc/>
    public Routing Route(Tensor x, Pass pass)
    {
        int E = config.Experts, K = config.Active;
        Tensor clean = gate.Forward(x);                          // (T, E)
        if (!pass.Training)
            return new Routing(Assignment.TopK(clean, K, overAll: false).Assignment, clean, []);

        Tensor sigma = noise.Forward(x).Softplus().Shift(config.NoiseEpsilon); // (T, E)
        Tensor draws = pass.FrozenRouterNoise is { } frozen
            ? x.Tape.Constant(clean.Shape, frozen[layer])
            : x.Tape.Normal(clean.Shape, pass.Key(RandomPurpose.RouterNoise, layer));
        Tensor noisy = clean.Add(sigma.Multiply(draws));         // (T, E)
        (Ints choices, Assignment assignment) = Assignment.TopK(noisy, K, overAll: false);

        List<BalanceLoss> losses = [];
        BalanceLosses.Add(losses, config, clean, choices, assignment);
        if (config.LoadLoss > 0f && K < E)
            losses.Add(new BalanceLoss("load", BalanceLosses.SquaredVariation(Load(clean, noisy, sigma, choices, K)), config.LoadLoss));
        return new Routing(assignment, clean, losses);
    }

    /// <summary>The smooth load of each expert (E): how many tokens would choose it. clean, noisy, sigma (T, E), choices (T, K), K &lt; E.</summary>
    internal static Tensor Load(Tensor clean, Tensor noisy, Tensor sigma, Ints choices, int K)
    {
        Tensor largest = noisy.SelectColumns(noisy.TopK(K + 1), K + 1); // (T, K+1), largest first
        Tensor thresholdIn = largest.SliceColumns(K, 1);         // (T, 1)
        Tensor thresholdOut = largest.SliceColumns(K - 1, 1);    // (T, 1)
        Tensor isIn = BalanceLosses.OneHot(clean, choices, K);   // (T, E), constant
        Tensor isOut = isIn.Scale(-1f).Shift(1f);
        Tensor threshold = isIn.Multiply(thresholdIn).Add(isOut.Multiply(thresholdOut));
        return clean.Subtract(threshold).Divide(sigma).NormalCdf().SumRows();
    }
}
