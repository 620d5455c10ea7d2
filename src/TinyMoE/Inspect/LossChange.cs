using TinyMoE.Backends;
using TinyMoE.Data;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tensors;

namespace TinyMoE.Inspect;

/// <summary>What interventions do to the loss of a text.</summary>
/// <param name="Before">The loss without them.</param>
/// <param name="After">The loss with them.</param>
/// <param name="Domains">The names of the domains, the largest first; null where all text has one label.</param>
/// <param name="Shares">The share of the tokens that each domain has; null likewise.</param>
public sealed record LossChange(TextLoss Before, TextLoss After, IReadOnlyList<string>? Domains, IReadOnlyList<float>? Shares)
{
    /// <summary>Measures it on the sequences of a source.</summary>
    public static LossChange Measure(Backend backend, Decoder model, IEvaluationSource source, Interventions interventions)
    {
        Domains? domains = Inspect.Domains.Of(source);
        int apart = domains?.Names.Count ?? 0, first = 0, changed = interventions.Layers.First();
        TokenLosses before = new(apart), after = new(apart);
        Pass pass = Pass.Inference with { Interventions = interventions };
        foreach (int count in EvaluationGroups.Of(model.Config, source.Sequences))
        {
            using Tape tape = backend.NewTape(recording: false);
            EvaluationBatch batch = source.Read(tape, first, count, model.Config.Moe.RoutesByLabel);
            first += count;
            domains?.Replace(batch.Labels);
            ExpertsInput input = default;
            Tensor logits = model.Forward(tape, batch.Batch.Tokens, Pass.Inference, onExperts: Keep).Logits;
            Add(before, logits, batch);
            Add(after, model.ForwardFrom(tape, batch.Batch.Tokens, pass, input).Logits, batch);

            void Keep(ExpertsInput of) => input = of.Layer == changed ? of : input;
        }

        return new LossChange(before.Result, after.Result, domains?.Names, domains?.Shares);

        void Add(TokenLosses losses, Tensor logits, EvaluationBatch batch) => losses.Add(
            TokenLosses.Of(logits, batch.Batch.Targets), backend.Read(batch.Batch.Targets), domains is null ? [] : batch.Labels);
    }
}
