using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Moe;
using TinyMoE.Tensors;
using TinyMoE.Train.Objectives;

namespace TinyMoE.Train;

/// <summary>The loss of an evaluation and how the routers spread its tokens.</summary>
/// <param name="Report">The loss.</param>
/// <param name="Routing">How the experts shared the work, layer by layer.</param>
public sealed record EvaluationOutcome(EvalReport Report, IReadOnlyList<RoutingReport> Routing)
{
    /// <summary>What the next evaluation is to be compared with.</summary>
    internal RoutingSnapshot Snapshot { get; init; } = RoutingSnapshot.None;
}

/// <summary>
/// Loss on held-out text: pure cross-entropy, no noise, no dropout, no balance losses; and how the experts shared the work. The result is
/// the same however many windows are read at a time (<see cref="EvaluationGroups"/>).
/// </summary>
public static class Evaluation
{
    /// <summary>
    /// The mean over the sequences of a source of what <paramref name="objective"/> measures: cross-entropy if it is null.
    /// </summary>
    public static EvaluationOutcome Run(Backend backend, Decoder model, IEvaluationSource source, int step, IObjective? objective = null) =>
        Run(backend, model, source, step, objective ?? new LanguageModelling(), before: null);

    /// <summary>The mean cross-entropy over the sequences of a source of a model whose routers do otherwise than they would.</summary>
    public static EvaluationOutcome Run(Backend backend, Decoder model, IEvaluationSource source, int step, Interventions? interventions) =>
        Run(backend, model, source, step, new LanguageModelling(), before: null, Pass.Inference with { Interventions = interventions });

    /// <summary>
    /// Measures, as above, and also the share of tokens whose expert is another than in <paramref name="before"/>, an evaluation of the
    /// same sequences.
    /// </summary>
    internal static EvaluationOutcome Run(
        Backend backend, Decoder model, IEvaluationSource source, int step, IObjective objective, RoutingSnapshot? before,
        Pass? pass = null)
    {
        RunConfig config = model.Config;
        bool byLabel = config.Moe.RoutesByLabel;
        Domains? domains = config.Moe.Experts == 0 ? null : Domains.Of(source);
        SortedDictionary<int, RoutingStatistics> statistics = [];
        double loss = 0;
        long bytes = 0;
        int first = 0;
        foreach (int count in EvaluationGroups.Of(config, source.Sequences))
        {
            using Tape tape = backend.NewTape(recording: false);
            EvaluationBatch batch = source.Read(tape, first, count, byLabel);
            if (byLabel)
                source.Labels.RequireTrained(batch.Labels, config.Moe.Tasks);
            ObjectiveResult result = objective.Forward(tape, model, batch.Batch, pass ?? Pass.Inference);
            loss += (double)result.Part(objective.MainPart).Item() * count / source.Sequences;
            bytes += batch.TargetBytes;
            first += count;
            domains?.Replace(batch.Labels);
            foreach ((int layer, Routing routing) in result.Routings)
            {
                if (!statistics.TryGetValue(layer, out RoutingStatistics? gathered))
                {
                    int experts = routing.Assignment.Experts, apart = domains?.Names.Count ?? 0;
                    statistics[layer] = gathered = new RoutingStatistics(experts, apart, keepTopExperts: before is not null);
                }

                gathered.Add(routing, batch.Batch.Tokens.Mask, domains is null ? [] : batch.Labels);
            }
        }

        // Special tokens cost bits and stand for no bytes: the bits of all targets over the bytes of the text.
        double bitsPerByte = bytes == 0 ? double.NaN : loss * source.Sequences * source.Context / (Math.Log(2) * bytes);
        RoutingSnapshot snapshot = new();
        foreach ((int layer, RoutingStatistics gathered) in statistics)
            snapshot.Set(layer, [.. gathered.TopExperts], gathered.Load);
        EvalReport report = new(step, loss, Math.Exp(loss), bitsPerByte, Causal: !config.Moe.LooksAhead);
        return new EvaluationOutcome(report, [.. statistics.Select(layer => Report(step, layer.Key, layer.Value, domains, before))])
        {
            Snapshot = snapshot,
        };
    }

    private static RoutingReport Report(int step, int layer, RoutingStatistics gathered, Domains? domains, RoutingSnapshot? before) => new(
        step,
        layer,
        gathered.Load,
        gathered.Importance,
        gathered.Entropy,
        gathered.MaxViolation,
        gathered.Dead,
        gathered.GateEntropy,
        gathered.TopGate,
        gathered.Dropped,
        gathered.LogitNorm,
        gathered.LogSumExp,
        before is null ? null : gathered.ChangedSince(before.TopExperts(layer)),
        gathered.CoActivation,
        domains is null
            ? null
            : [.. domains.Names.Select((name, domain) => new DomainLoad(name, domains.Shares[domain], gathered.LoadOf(domain)))]);
}
