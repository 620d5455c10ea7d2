using TinyMoE.Backends;
using TinyMoE.Data;
using TinyMoE.Moe;
using TinyMoE.Nn;
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
        int T = model.Config.Model.Context, batch = Math.Min(model.Config.Train.Batch, windows.Count);
        int[] inputs = new int[batch * T], targets = new int[batch * T];
        SortedDictionary<int, RoutingStatistics> statistics = [];
        double loss = 0;
        long bytes = 0;
        for (int first = 0; first < windows.Count; first += batch)
        {
            int B = Math.Min(batch, windows.Count - first);
            for (int b = 0; b < B; b++)
                corpus.ValidationWindow(windows[first + b], inputs.AsSpan(b * T, T), targets.AsSpan(b * T, T));

            using Tape tape = backend.NewTape(recording: false);
            Ints targetIds = tape.Ints(targets.AsSpan(0, B * T));
            DecoderOutput output = model.Forward(tape, tape.Ints(inputs.AsSpan(0, B * T)), B, T, Pass.Inference);
            loss += (double)output.Logits.CrossEntropy(targetIds).Item() * B / windows.Count;
            bytes += corpus.Tokenizer.ByteCount(targets.AsSpan(0, B * T));
            foreach ((int layer, Routing routing) in output.Routings)
            {
                if (!statistics.TryGetValue(layer, out RoutingStatistics? gathered))
                    statistics[layer] = gathered = new RoutingStatistics(routing.Assignment.Experts);
                gathered.Add(routing);
            }
        }

        double bitsPerByte = loss * windows.Count * T / (Math.Log(2) * bytes);
        return (new EvalReport(step, loss, Math.Exp(loss), bitsPerByte),
            [.. statistics.Select(s => new RoutingReport(step, s.Key, s.Value.Load, s.Value.Importance, s.Value.Entropy, s.Value.MaxViolation, s.Value.Dead))]);
    }
}
