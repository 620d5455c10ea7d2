using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Moe;
using TinyMoE.Tensors;

namespace TinyMoE.Inspect;

/// <summary>What is lost without an expert.</summary>
/// <param name="Layer">Its layer, from 0.</param>
/// <param name="Expert">The expert, from 0.</param>
/// <param name="Load">Its share of the layer's choices while it is there.</param>
/// <param name="Loss">The loss without it.</param>
public sealed record ExpertAblation(int Layer, int Expert, float Load, TextLoss Loss);

/// <summary>What is lost without each expert of a model, one at a time.</summary>
/// <param name="Whole">The loss with all experts.</param>
/// <param name="Experts">Every expert, layer by layer.</param>
/// <param name="Domains">The names of the domains, the largest first; null where all text has one label.</param>
/// <param name="Shares">The share of the tokens that each domain has; null likewise.</param>
public sealed record AblationReport(
    TextLoss Whole, IReadOnlyList<ExpertAblation> Experts, IReadOnlyList<string>? Domains, IReadOnlyList<float>? Shares);

/// <summary>
/// Measures what is lost without each expert of a model: the loss of a text as if a router's logit of it were −∞
/// (<see cref="Interventions"/>), for all layers and experts. What lies before a layer's experts is computed once for all of them, and the
/// rest of the forward pass goes on from there.
/// </summary>
public sealed class AblationMap
{
    private readonly Backend backend;
    private readonly Decoder model;
    private readonly IEvaluationSource source;
    private readonly Domains? domains;
    private readonly TokenLosses whole;
    private readonly SortedDictionary<int, LayerSums> layers = [];

    private AblationMap(Backend backend, Decoder model, IEvaluationSource source)
    {
        (this.backend, this.model, this.source, domains) = (backend, model, source, Domains.Of(source));
        whole = NewLosses();
        int E = model.Config.Moe.Experts;
        foreach (int layer in Enumerable.Range(0, model.Config.Model.Layers).Where(model.Config.Moe.InLayer))
        {
            layers[layer] = new LayerSums(
                new RoutingStatistics(E),
                [.. Enumerable.Range(0, E).Select(e => Pass.Inference with { Interventions = Without(new ExpertId(layer, e)) })],
                [.. Enumerable.Range(0, E).Select(_ => NewLosses())]);
        }
    }

    /// <summary>
    /// Measures on the sequences of a source. <paramref name="progress"/> is told how many of how many forward passes are made.
    /// </summary>
    /// <exception cref="TinyMoEException">The model is dense, or its layers have one expert.</exception>
    public static AblationReport Measure(
        Backend backend, Decoder model, IEvaluationSource source, Action<int, int>? progress = null)
    {
        RequireExperts(model.Config);
        int[] groups = [.. EvaluationGroups.Of(model.Config, source.Sequences)];
        AblationMap map = new(backend, model, source);
        int first = 0, made = 0, all = groups.Length * (1 + map.layers.Count * model.Config.Moe.Experts);
        foreach (int count in groups)
        {
            map.Add(first, count, () => progress?.Invoke(++made, all));
            first += count;
        }

        return map.Report();
    }

    /// <summary>Throws a <see cref="TinyMoEException"/> unless a layer has experts, and one is left without another.</summary>
    public static void RequireExperts(RunConfig config)
    {
        if (config.Moe.Experts < 2)
        {
            throw new TinyMoEException(config.Moe.Experts == 0
                ? "the model is dense: it has no experts to do without" : "the layers have one expert each, and none would be left");
        }
    }

    private void Add(int first, int count, Action onPass)
    {
        using Tape tape = backend.NewTape(recording: false);
        EvaluationBatch batch = source.Read(tape, first, count, model.Config.Moe.RoutesByLabel);
        domains?.Replace(batch.Labels);
        int[] domainOf = domains is null ? [] : batch.Labels, targets = backend.Read(batch.Batch.Targets);
        List<ExpertsInput> inputs = [];
        KeptRows kept = new();
        DecoderOutput output = model.Forward(
            tape, batch.Batch.Tokens, Pass.Inference with { Observer = kept }, onExperts: inputs.Add);
        whole.Add(TokenLosses.Of(output.Logits, batch.Batch.Targets), targets, domainOf);
        foreach ((int layer, Routing routing) in output.Routings)
            layers[layer].Routing.Add(routing, batch.Batch.Tokens.Mask);
        onPass();
        foreach ((ExpertsInput given, int i) in inputs.Select((given, i) => (given, i)))
        {
            LayerSums sums = layers[given.Layer];
            ExpertsInput input = given with { Known = new ExpertRows(kept.Rows[i], output.Routings[i].Routing.Assignment) };
            for (int expert = 0; expert < sums.Passes.Length; expert++)
            {
                using Tape without = backend.NewTape(recording: false);
                Tensor logits = model.ForwardFrom(without, batch.Batch.Tokens, sums.Passes[expert], input).Logits;
                sums.Losses[expert].Add(TokenLosses.Of(logits, batch.Batch.Targets), targets, domainOf);
                onPass();
            }
        }
    }

    private AblationReport Report() => new(
        whole.Result,
        [.. layers.SelectMany(layer => layer.Value.Losses.Select(
            (losses, e) => new ExpertAblation(layer.Key, e, layer.Value.Routing.Load[e], losses.Result)))],
        domains?.Names,
        domains?.Shares);

    private TokenLosses NewLosses() => new(domains?.Names.Count ?? 0);

    private Interventions Without(ExpertId id) => Interventions.Of(model.Config, [id]);

    private sealed record LayerSums(RoutingStatistics Routing, Pass[] Passes, TokenLosses[] Losses);
}
