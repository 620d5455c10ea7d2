using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Moe.Routers;

/// <summary>
/// GShard's top-2 gating (Lepikhin et al. 2020, algorithm 1).
/// <code>
/// p = softmax(x·Wgᵀ)
/// e₁, e₂ = the two experts with the largest p
/// g₁, g₂ = p[e₁], p[e₂], divided by their sum
/// the second is kept when 2·g₂ &gt; u, u uniform in [0, 1), in training; always otherwise
/// </code>
/// A full expert serves first choices before second ones, earlier tokens before later ones (moe.drop position). g₁ stays as it is when
/// the second is dropped. The paper's settings: moe.capacity_factor 2 (an expert's share of both choices: 1 here), moe.gshard_loss 0.01.
/// </summary>
internal sealed class GShardRouter(RouterSite site) : GatedRouter(site)
{
    private const int K = 2;

    private readonly int active = site.Moe.ActiveOfRouter;

    /// <inheritdoc/>
    public override Routing Route(Tensor x, RoutingContext context)
    {
        GateLogits logits = Gate.Forward(x, context);
        if (!context.Pass.Training || active < K)
            return Choice.TopK(logits, active, overAll: active < K, context);

        Ints choices = logits.Noisy.TopK(K);                     // (N, 2)
        Tensor gates = logits.Noisy.SelectColumns(choices, K).Softmax(); // (N, 2)
        Tensor draws = x.Tape.Uniform((gates.Shape[0], 1), context.Pass.Key(RandomPurpose.SecondExpert, Layer));
        Ints offered = Keep(gates, draws).KeepChoices(choices);
        return Choice.Choose(RouterScores.Of(logits.Clean), choices, gates, context, offered: offered);
    }

    /// <summary>
    /// Above 0 for a choice that is kept: the first, whose gate is at least ½, always;
    /// the second where 2·g₂ exceeds the draw. gates (N, 2), draws (N, 1), result (N, 2).
    /// </summary>
    internal static Tensor Keep(Tensor gates, Tensor draws)
    {
        Tensor second = gates.SliceColumns(1, 1).Scale(2f).Subtract(draws);
        return gates.SliceColumns(0, 1).ConcatColumns(second);
    }
}
