using TinyMoE.Configuration;
using TinyMoE.Nn;
using TinyMoE.Tensors;

namespace TinyMoE.Moe;

/// <summary>What a router decided about the tokens of one layer.</summary>
/// <param name="Assignment">Who goes where, and with which gate.</param>
/// <param name="Logits">The clean logits (T, E), for statistics.</param>
/// <param name="Losses">The balance losses that are switched on, unweighted; empty outside training.</param>
public sealed record Routing(Assignment Assignment, Tensor Logits, IReadOnlyList<BalanceLoss> Losses);

/// <summary>One balance loss of one layer.</summary>
/// <param name="Name">Its name in metrics: balance, z, importance, load.</param>
/// <param name="Value">Its unweighted value (1), differentiable.</param>
/// <param name="Weight">Its weight in the training objective.</param>
public sealed record BalanceLoss(string Name, Tensor Value, float Weight);

/// <summary>Decides which tokens go to which experts. Everything special about a router ends in the <see cref="Assignment"/>.</summary>
public interface IRouter
{
    /// <summary>Routes x (T, C). Noise and losses only when <paramref name="pass"/> trains; always float32.</summary>
    Routing Route(Tensor x, Pass pass);
}

/// <summary>Makes the router that a configuration names.</summary>
internal static class Routers
{
    public static IRouter Create(ParameterStore store, string name, ModelConfig model, MoeConfig moe, int layer) => moe.Router switch
    {
        RouterKind.TopK => new TopKRouter(store, name, model, moe),
        RouterKind.NoisyTopK => new NoisyTopKRouter(store, name, model, moe, layer),
        _ => throw new InvalidOperationException($"No router {moe.Router}."),
    };
}
