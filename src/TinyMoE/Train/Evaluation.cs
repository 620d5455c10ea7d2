using TinyMoE.Backends;
using TinyMoE.Data;
using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Moe;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Train;

/// <summary>Loss on held-out text: pure cross-entropy, no noise, no dropout, no balance losses; and how the experts shared the work.</summary>
public static class Evaluation
{
    /// <summary>
    /// Mean cross-entropy over these validation windows of the context length (consecutive and non-overlapping; see <see cref="Corpus.ValidationWindow"/>).
    /// </summary>
    public static (EvalReport Report, IReadOnlyList<RoutingReport> Routing) Run(Backend backend, Decoder model, Corpus corpus, IReadOnlyList<int> windows, int step)
    {
        (EvalReport report, IReadOnlyList<RoutingReport> routing, _) = Run(backend, model, corpus, windows, step, before: null);
        return (report, routing);
    }

    /// <summary>The same, with the share of tokens whose expert is another than <paramref name="before"/>, in an evaluation of the same windows; and what the next is to be compared with.</summary>
    internal static (EvalReport Report, IReadOnlyList<RoutingReport> Routing, RoutingSnapshot Snapshot) Run(
        Backend backend, Decoder model, Corpus corpus, IReadOnlyList<int> windows, int step, RoutingSnapshot? before)
    {
        int T = model.Config.Model.Context, batch = Math.Min(model.Config.Train.Batch, windows.Count);
        bool byLabel = model.Config.Moe.RoutesByLabel;
        Domains? domains = model.Config.Moe.Experts == 0 ? null : Domains.Of(corpus, windows, T);
        int[] inputs = new int[batch * T], targets = new int[batch * T], labels = new int[batch * T];
        SortedDictionary<int, RoutingStatistics> statistics = [];
        double loss = 0;
        long bytes = 0;
        for (int first = 0; first < windows.Count; first += batch)
        {
            int B = Math.Min(batch, windows.Count - first);
            for (int b = 0; b < B; b++)
                corpus.ValidationWindow(windows[first + b], inputs.AsSpan(b * T, T), targets.AsSpan(b * T, T), labels.AsSpan(b * T, T));

            Span<int> labelsOfBatch = labels.AsSpan(0, B * T);
            if (byLabel)
                RequireKnown(labelsOfBatch, model, corpus.Labels);
            using Tape tape = backend.NewTape(recording: false);
            Ints targetIds = tape.Ints(targets.AsSpan(0, B * T));
            TokenBatch tokens = new(tape.Ints(inputs.AsSpan(0, B * T)), B, T) { Labels = byLabel ? tape.Ints(labelsOfBatch) : default };
            DecoderOutput output = model.Forward(tape, tokens, Pass.Inference);
            loss += (double)output.Logits.CrossEntropy(targetIds).Item() * B / windows.Count;
            bytes += corpus.Tokenizer.ByteCount(targets.AsSpan(0, B * T));
            domains?.Replace(labelsOfBatch);
            foreach ((int layer, Routing routing) in output.Routings)
            {
                if (!statistics.TryGetValue(layer, out RoutingStatistics? gathered))
                    statistics[layer] = gathered = new RoutingStatistics(routing.Assignment.Experts, domains?.Names.Count ?? 0, keepTopExperts: before is not null);
                gathered.Add(routing, tokens.Mask, domains is null ? [] : labelsOfBatch);
            }
        }

        double bitsPerByte = loss * windows.Count * T / (Math.Log(2) * bytes);
        RoutingSnapshot snapshot = new();
        foreach ((int layer, RoutingStatistics gathered) in statistics)
            snapshot.Set(layer, [.. gathered.TopExperts], gathered.Load);
        return (new EvalReport(step, loss, Math.Exp(loss), bitsPerByte, Causal: !model.Config.Moe.LooksAhead),
            [.. statistics.Select(layer => Report(step, layer.Key, layer.Value, domains, before))], snapshot);
    }

    private static RoutingReport Report(int step, int layer, RoutingStatistics gathered, Domains? domains, RoutingSnapshot? before) => new(
        step, layer, gathered.Load, gathered.Importance, gathered.Entropy, gathered.MaxViolation, gathered.Dead, gathered.GateEntropy, gathered.TopGate, gathered.Dropped,
        gathered.LogitNorm, gathered.LogSumExp, before is null ? null : gathered.ChangedSince(before.TopExperts(layer)), gathered.CoActivation,
        domains is null ? null : [.. domains.Names.Select((name, domain) => new DomainLoad(name, domains.Shares[domain], gathered.LoadOf(domain)))]);

    /// <summary>A label that training did not have has no experts of its own.</summary>
    private static void RequireKnown(ReadOnlySpan<int> labels, Decoder model, LabelSet names)
    {
        int known = model.Config.Moe.Tasks;
        foreach (int label in labels)
        {
            if (label >= known)
            {
                throw new TinyMoEException(
                    $"moe.router=task knows no label '{names[label]}'; known: {string.Join(", ", names.Take(known))}. Name the text as one of them, as in --data {names[0]}=PATH --labels source.");
            }
        }
    }
}
