using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Files;
using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>A request to trace the tokens of a text through a model.</summary>
/// <param name="Windows">The model, the device, and the windows of which text; as an evaluation has them.</param>
public sealed record TraceRequest(EvaluationRequest Windows)
{
    /// <summary>Predictions per token if nothing is said.</summary>
    public const int UsualPredictions = 1;

    /// <summary>More predictions than this are not told.</summary>
    public const int MostPredictions = 100;

    /// <summary>A text instead of windows; it gets what the tokenizer puts around a text.</summary>
    public string? Text { get; init; }

    /// <summary>The file of the text, in UTF-8, instead of <see cref="Text"/>.</summary>
    public string? File { get; init; }

    /// <summary>The file for the trace, by its ending a table (<c>.parquet</c>) or lines of JSON (<c>.jsonl</c>); null: none.</summary>
    public string? Out { get; init; }

    /// <summary>Whether to tell what the experts live on: <see cref="TraceResult.Summary"/>.</summary>
    public bool Summarises { get; init; }

    /// <summary>The file for the summary, in JSON; null: none.</summary>
    public string? Summary { get; init; }

    /// <summary>An earlier state of the model, whose routing of the same tokens is compared; null: none.</summary>
    public ModelFolder? Against { get; init; }

    /// <summary>Whether to tell how alike the experts are: <see cref="TraceResult.Similarity"/>.</summary>
    public bool Similarity { get; init; }

    /// <summary>How many of the likeliest tokens to follow are told.</summary>
    public int Predictions { get; init; } = UsualPredictions;

    /// <summary>How many of the router's largest probabilities are told, chosen or not; those of choices are told in any case.</summary>
    public int Probabilities { get; init; }
}

/// <summary>The end of a trace.</summary>
/// <param name="Step">The step of the model, of a run.</param>
/// <param name="Tokens">Tokens that were traced.</param>
/// <param name="Loss">The mean loss of the tokens that follow them, in nats: that of an evaluation of the windows; NaN for none.</param>
/// <param name="Rows">Rows of the file; 0 where none was written.</param>
/// <param name="Measured">What was traced; null: a text of its own.</param>
/// <param name="Notes">What a person should know of the run's configuration, and of the text.</param>
public sealed record TraceResult(
    int Step, long Tokens, double Loss, long Rows, MeasuredText? Measured, IReadOnlyList<NoteReport> Notes)
{
    /// <summary>What the experts live on; null: not asked for.</summary>
    public TraceSummary? Summary { get; init; }

    /// <summary>How far the earlier state routed as this one does, layer by layer; null: none was named.</summary>
    public IReadOnlyList<LayerSaturation>? Saturation { get; init; }

    /// <summary>How alike the experts are, layer by layer; null: not asked for.</summary>
    public IReadOnlyList<LayerSimilarity>? Similarity { get; init; }
}

/// <summary>Traces tokens through a model, and keeps it in a file.</summary>
public static class Tracing
{
    private const string Table = ".parquet", Lines = ".jsonl";
    private const int Waiting = 2; // batches that wait for the file

    /// <summary>Traces a text, or windows of one. The file is there whole or not at all.</summary>
    /// <exception cref="TinyMoEException">The model, the text, the device or the file cannot be used.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public static TraceResult Run(TraceRequest request, CancellationToken stop = default)
    {
        RequireKnown(request.Out);
        EvaluationRequest windows = request.Windows;
        using OpenedModel opened = OpenedModel.Open(windows.Model);
        opened.RequireOutside(request.Out, "the trace");
        opened.RequireOutside(request.Summary, "the summary");
        RunConfig config = opened.Config;
        Interventions? interventions = windows.Changes?.For(config);
        Tokenizer tokenizer = opened.LoadTokenizer();
        bool isText = request.Text is not null || request.File is not null;
        int[] ids = isText ? TextOf(request, config, tokenizer) : [];
        EvaluatedText? text = isText ? null : EvaluatedText.Read(windows, opened, config.Data, stop);
        (IEvaluationSource Windows, MeasuredText Measured)? read = text?.Windows(windows, opened, stop);
        using Backend backend = windows.Device.Open(config);
        using Decoder model = opened.LoadModel(backend);
        int most = Math.Min(config.Model.Vocabulary, TraceRequest.MostPredictions);
        request = request with { Predictions = Math.Min(request.Predictions, most) };
        Tracer tracer = new(backend, model, request.Predictions, interventions);
        LabelSet? labels = LabelsOf(read?.Windows);
        IEnumerable<TraceBatch> batches = read is var (source, _) ? tracer.Trace(source)
            : tracer.Trace(ids, EvaluatedText.ContextOf(windows, opened));
        using EarlierModel? earlier = request.Against is { } against ? EarlierModel.Open(against, opened, tokenizer, backend) : null;
        bool summarises = request.Summarises || request.Summary is not null;
        TraceCounts counts = new(summarises ? new TraceSummariser(tokenizer, labels is null ? [] : labels) : null);
        long rows = Write(
            request, earlier is null ? batches : earlier.Compared(batches), new TraceWords(tokenizer, labels), counts,
            headExperts: config.Attention.Kind == AttentionKind.SwitchHead, stop);
        IEnumerable<NoteReport> notes = text?.Notes.Select(note => new NoteReport(0, note)) ?? [];
        TraceResult result = new(opened.Step, counts.Tokens, counts.Loss, rows, read?.Measured, [.. opened.Notes, .. notes])
        {
            Summary = counts.Summary?.Summarise(),
            Saturation = earlier?.Saturation,
            Similarity = request.Similarity ? ExpertSimilarity.Measure(backend, model, read?.Windows, stop) : null,
        };
        if (request.Summary is { } file)
            AtomicFile.WriteText(file, TraceSummaryJson.Of(result));
        return result;
    }

    /// <summary>
    /// What the experts of a model live on; <paramref name="traced"/> is told how many batches are traced, on the thread that computes.
    /// </summary>
    internal static TraceSummary Summarise(
        Tracer tracer, IEvaluationSource windows, Tokenizer tokenizer, Action<int> traced, CancellationToken stop)
    {
        LabelSet? labels = LabelsOf(windows);
        TraceSummariser summary = new(tokenizer, labels is null ? [] : labels);
        Conveyor.Run(
            tracer.Trace(windows).Select((batch, i) =>
            {
                traced(i + 1);
                return batch;
            }),
            summary.Add,
            Waiting,
            stop);
        return summary.Summarise();
    }

    /// <summary>The labels of a text; null where all of it has the same one.</summary>
    private static LabelSet? LabelsOf(IEvaluationSource? windows) =>
        windows is { Labels.Count: > 1 } && windows.CountLabels().Count(count => count > 0) > 1 ? windows.Labels : null;

    private static void RequireKnown(string? file)
    {
        if (file is not null && !IsLines(file) && !file.EndsWith(Table, StringComparison.OrdinalIgnoreCase))
            throw new TinyMoEException($"{file} ends neither in {Table} (a table) nor in {Lines} (one JSON object per token); name one so");
    }

    private static bool IsLines(string file) => file.EndsWith(Lines, StringComparison.OrdinalIgnoreCase);

    private static int[] TextOf(TraceRequest request, RunConfig config, Tokenizer tokenizer)
    {
        if (config.Moe.RoutesByLabel)
        {
            throw new RequestException(
                $"moe.router=task needs the label of a text; trace windows of labelled text by {Setting.Sources} instead");
        }

        int[] ids = tokenizer.EncodeWithSpecial(request.File is { } file ? TextFile.Read(file) : request.Text!);
        return ids.Length > 0 ? ids : throw new TinyMoEException("the text has no token to trace");
    }

    /// <summary>Traces, and writes on another thread; the rows that were written.</summary>
    private static long Write(
        TraceRequest request, IEnumerable<TraceBatch> batches, TraceWords words, TraceCounts counts, bool headExperts,
        CancellationToken stop)
    {
        if (request.Out is not { } path)
        {
            Conveyor.Run(batches, counts.Add, Waiting, stop);
            return 0;
        }

        long rows = 0;
        AtomicFile.Write(path, stream =>
        {
            using ITraceWriter writer = IsLines(path) ? new TraceJson(stream, words, request.Probabilities)
                : new TraceParquet(stream, words, request.Predictions, request.Probabilities, headExperts);
            Conveyor.Run(
                batches,
                batch =>
                {
                    counts.Add(batch);
                    writer.Write(batch);
                },
                Waiting,
                stop);
            writer.Finish();
            rows = writer.Rows;
        });
        return rows;
    }

    /// <summary>What is counted over all batches.</summary>
    private sealed class TraceCounts(TraceSummariser? summary)
    {
        private double loss;
        private long predicted;

        /// <summary>What the experts live on; null: not asked for.</summary>
        public TraceSummariser? Summary => summary;

        public long Tokens { get; private set; }

        public double Loss => predicted == 0 ? double.NaN : loss / predicted;

        public void Add(TraceBatch batch)
        {
            summary?.Add(batch);
            for (int n = 0; n < batch.Ids.Length; n++)
            {
                if (!batch.Traced[n])
                    continue;
                Tokens++;
                if (float.IsNaN(batch.NextLosses[n]))
                    continue;
                (loss, predicted) = (loss + batch.NextLosses[n], predicted + 1);
            }
        }
    }
}
