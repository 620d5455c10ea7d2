using System.Text;
using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Inspect;
using TinyMoE.Train;
using Decoder = TinyMoE.Models.Decoder;

namespace TinyMoE.Examples.Specialisation;

/// <summary>
/// Trains one mixture and asks it all questions, by the tools that <c>tinymoe trace</c> and <c>tinymoe ablate</c> are made of.
/// </summary>
internal static class Experiment
{
    /// <summary>Trains in a folder that is removed afterwards.</summary>
    public static RunFindings Run(Backend backend, RunConfig config, Corpus corpus, string folder)
    {
        Listener listener = new();
        RunFolder run = new(folder);
        try
        {
            using Trainer trainer = new(backend, config, corpus, run, listener);
            trainer.Run();
            IEvaluationSource source = corpus.ForEvaluation(config);
            List<TraceBatch> traces = [.. new Tracer(backend, trainer.Model, predictions: 1).Trace(source)];
            Dictionary<int, IReadOnlyList<LayerSaturation>> saturation = Saturations(backend, run, source, traces);
            AblationReport ablation = AblationMap.Measure(backend, trainer.Model, source);
            LayerFindings[] layers = Layers(config, corpus, traces, saturation, ablation);
            return new RunFindings(listener.Losses, Median(listener.Speeds), layers);
        }
        finally
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>How every checkpoint that stayed routed the tokens, beside the trained model.</summary>
    private static Dictionary<int, IReadOnlyList<LayerSaturation>> Saturations(
        Backend backend, RunFolder run, IEvaluationSource source, List<TraceBatch> traces)
    {
        Dictionary<int, IReadOnlyList<LayerSaturation>> found = [];
        foreach (string kept in run.AllKept)
        {
            using Checkpoint checkpoint = Checkpoint.Open(kept);
            using Decoder earlier = checkpoint.LoadModel(backend);
            RouterSaturation saturation = new();
            foreach ((TraceBatch before, TraceBatch after) in new Tracer(backend, earlier).Trace(source).Zip(traces))
                saturation.Add(before, after);
            found[checkpoint.Step] = saturation.Layers;
        }

        return found;
    }

    private static LayerFindings[] Layers(
        RunConfig config, Corpus corpus, List<TraceBatch> traces, Dictionary<int, IReadOnlyList<LayerSaturation>> saturation,
        AblationReport ablation)
    {
        int[] ids = [.. traces.SelectMany(batch => batch.Ids)];
        int[] predicted = [.. traces.SelectMany(batch => batch.PredictedIds)], domains = [.. traces.SelectMany(batch => batch.Labels)];
        int[] kindOf = [.. Enumerable.Range(0, corpus.Tokenizer.Vocabulary).Select(id => KindOf(corpus.Tokenizer.Bytes(id)))];
        int[] kinds = [.. ids.Select(id => kindOf[id])];
        TraceSummary summary = Summarise(corpus, traces, batch => batch.Ids);
        TraceSummary shuffled = Summarise(corpus, traces, batch => Shuffled(batch.Ids));
        TraceSummary output = Summarise(corpus, traces, batch => batch.PredictedIds);
        TraceSummary outputShuffled = Summarise(corpus, traces, batch => Shuffled(batch.PredictedIds));
        return [.. summary.Layers.Select((layer, i) =>
        {
            int[][] chosen = [.. traces.SelectMany(batch => ChosenOf(batch.Layers[i]))];
            int E = layer.Experts.Count;
            return new LayerFindings(
                layer.Layer,
                new Explanation(
                    Explained.By(chosen, E, ids),
                    Explained.By(chosen, E, predicted),
                    Explained.By(chosen, E, kinds),
                    Explained.By(chosen, E, domains),
                    Explained.Beyond(chosen, E, domains, known: ids),
                    Explained.Beyond(chosen, E, ids, known: domains)),
                new Vocabulary(layer.VocabularySpecialisation ?? 0, shuffled.Layers[i].VocabularySpecialisation ?? 0),
                new Vocabulary(output.Layers[i].VocabularySpecialisation ?? 0, outputShuffled.Layers[i].VocabularySpecialisation ?? 0),
                [.. saturation.OrderBy(at => at.Key).Select(at => new Saturation(at.Key, at.Value[i].First, at.Value[i].All))],
                [.. layer.Experts.Select(expert => ExpertOf(config, corpus, ablation, layer.Layer, expert))]);
        })];
    }

    private static Expert ExpertOf(RunConfig config, Corpus corpus, AblationReport ablation, int layer, ExpertSummary expert)
    {
        double uniform = (double)config.Moe.Active / config.Moe.Experts;
        ExpertAblation without = ablation.Experts.Single(each => each.Layer == layer && each.Expert == expert.Expert);
        double[] ratios = [.. expert.ByDomain.Select(share => share / uniform)];
        bool atHome = false;
        if (without.Loss.ByDomain is { } after && ablation is { Whole.ByDomain: { } before, Domains: { } names })
        {
            double[] grown = [.. after.Zip(before, (a, b) => a - b)];
            atHome = names[Array.IndexOf(grown, grown.Max())] == corpus.Labels[Array.IndexOf(ratios, ratios.Max())];
        }

        return new Expert(
            without.Load * config.Moe.Experts,
            1000 * (without.Loss.Mean - ablation.Whole.Mean),
            expert.Share * expert.MeanGate * (expert.MeanOutputNorm ?? 0),
            ratios,
            atHome,
            [.. expert.LivesOn.Select(each => each.Token)]);
    }

    /// <summary>What experts live on, by other ids in the place of tokens where vocabulary specialisation is to be by those.</summary>
    private static TraceSummary Summarise(Corpus corpus, List<TraceBatch> traces, Func<TraceBatch, int[]> ids)
    {
        TraceSummariser summariser = new(corpus.Tokenizer, corpus.Labels);
        foreach (TraceBatch batch in traces)
            summariser.Add(batch with { Ids = ids(batch) });
        return summariser.Summarise();
    }

    private static int[] Shuffled(int[] ids)
    {
        int[] shuffled = [.. ids];
        new Random(Seed: 1).Shuffle(shuffled);
        return shuffled;
    }

    private static IEnumerable<int[]> ChosenOf(TraceLayer layer) =>
        Enumerable.Range(0, layer.Offsets.Length - 1).Select(n => layer.Expert[layer.Offsets[n]..layer.Offsets[n + 1]]);

    /// <summary>Six kinds: blanks, letters without and with capitals, digits, brackets, other signs.</summary>
    private static int KindOf(ReadOnlySpan<byte> token)
    {
        string shown = Encoding.UTF8.GetString(token).Trim();
        return shown.Length == 0 ? 0
            : shown.Any(char.IsUpper) ? 2
            : shown.Any(char.IsLetter) ? 1
            : shown.Any(char.IsDigit) ? 3
            : shown.All(c => "()[]{}<>".Contains(c, StringComparison.Ordinal)) ? 4
            : 5;
    }

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private sealed class Listener : ITrainingListener
    {
        public List<(int Step, double Loss)> Losses { get; } = [];

        public List<double> Speeds { get; } = [];

        public void OnStart(TrainingStart start)
        {
        }

        public void OnStep(StepReport r) => Speeds.Add(r.TokensPerSecond);

        public void OnEvaluation(EvalReport eval, IReadOnlyList<RoutingReport> routing, bool best) => Losses.Add((eval.Step, eval.Loss));

        public void OnCheckpoint(int step, string path)
        {
        }
    }
}
