using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tensors;

namespace TinyMoE.Train;

/// <summary>Whether the weights of a trained model are those of a configuration too, so that a new run can begin with them.</summary>
internal static class InitialWeights
{
    /// <summary>
    /// The keys of the model that may change under given weights: they say how it trains, how many experts a token has, how far it sees.
    /// All others, even where they leave the shapes alone, give every weight another meaning.
    /// </summary>
    private static readonly HashSet<string> Free =
    [
        "model.context", "model.dropout", "attention.window", "attention.active", "attention.gate_dropout",
        "moe.router", "moe.active", "moe.renormalize", "moe.active_groups", "moe.choice_group", "moe.allow_non_causal",
        "moe.capacity_factor", "moe.eval_capacity_factor", "moe.min_capacity", "moe.drop", "moe.expert_precision", "moe.router_precision",
        "moe.jitter", "moe.logit_noise", "moe.noise_epsilon", "moe.expert_dropout", "moe.gate_dropout", "moe.bias_rate",
        "moe.routed_scaling", "moe.balance_loss", "moe.sequence_loss", "moe.gshard_loss", "moe.z_loss", "moe.importance_loss",
        "moe.load_loss", "moe.layer_losses",
    ];

    /// <summary>Makes sure that the weights of <paramref name="run"/>, which is so configured, fit another configuration.</summary>
    /// <exception cref="TinyMoEException">They do not; it names the key.</exception>
    public static void RequireFit(string run, RunConfig saved, RunConfig now)
    {
        List<string> changed = [];
        foreach ((string key, string before, string after) in ConfigKeys.Differences(saved, now))
        {
            bool isOfTokens = key.StartsWith("data.tokenizer", StringComparison.Ordinal);
            bool isOfText = key.StartsWith("data.", StringComparison.Ordinal) && !isOfTokens;
            if (isOfText || key.StartsWith("train.", StringComparison.Ordinal))
                continue;
            if (!Free.Contains(key))
            {
                throw new TinyMoEException(
                    $"{key}={before} of {run} cannot become {after}: the weights are those of a model that has it; leave {key} as it is");
            }

            changed.Add($"{key}={after}");
        }

        if (changed.Count > 0 && FirstOtherTensor(saved, now) is { } tensor)
        {
            throw new TinyMoEException(
                $"{string.Join(", ", changed)} does not fit the weights of {run}: {tensor} would be another; leave it as it is");
        }
    }

    /// <summary>A tensor that only one of two models has, or that has another shape; null where all are alike.</summary>
    private static string? FirstOtherTensor(RunConfig saved, RunConfig now)
    {
        HashSet<(string, Shape)> before = TensorsOf(saved), after = TensorsOf(now);
        before.SymmetricExceptWith(after);
        return before.Select(tensor => tensor.Item1).Order(StringComparer.Ordinal).FirstOrDefault();
    }

    private static HashSet<(string Name, Shape Shape)> TensorsOf(RunConfig config)
    {
        ParameterStore plan = Decoder.PlanStore(config);
        return
        [
            .. plan.All.Select(parameter => (parameter.Name, parameter.Shape)),
            .. plan.States.Where(state => state.IsSaved).Select(state => (state.Name, state.Shape)),
        ];
    }
}
