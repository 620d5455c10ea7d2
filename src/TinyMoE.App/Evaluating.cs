using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Inspect;
using TinyMoE.Models;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>A request to evaluate a trained model.</summary>
/// <param name="Run">The folder of a run, or of a checkpoint.</param>
public sealed record EvaluationRequest(string Run)
{
    /// <summary>The texts, whose held-out share is measured; null: the run's own.</summary>
    public IReadOnlyList<string>? Sources { get; init; }

    /// <summary>What the labels of the texts are, <c>source</c>, <c>file</c> or <c>record</c>; null: as in training.</summary>
    public string? Labels { get; init; }

    /// <summary>How many windows to measure, from the start of the held-out text; null: all.</summary>
    public int? Windows { get; init; }

    /// <summary>The device that computes.</summary>
    public DeviceChoice Device { get; init; } = new();
}

/// <summary>The loss of an evaluation, and how the model's routers spread its tokens.</summary>
/// <param name="Report">The loss.</param>
/// <param name="Routing">How the experts of each layer shared the work; empty for a dense model.</param>
/// <param name="Windows">How many windows were measured.</param>
/// <param name="Notes">What a person should know of the run's configuration and of its loss.</param>
public sealed record EvaluationResult(
    EvalReport Report, IReadOnlyList<RoutingReport> Routing, int Windows, IReadOnlyList<NoteReport> Notes);

/// <summary>Measures how well a trained model predicts text.</summary>
public static class Evaluating
{
    /// <summary>Evaluates the best model of a run on the first windows of held-out text.</summary>
    /// <exception cref="TinyMoEException">The run, the text or the device cannot be used.</exception>
    public static EvaluationResult Run(EvaluationRequest request)
    {
        using Checkpoint checkpoint = Checkpoint.Open(RunFolder.FindCheckpoint(request.Run));
        RunConfig config = checkpoint.Config;
        DataConfig data = (request.Labels is null ? config : config.With("data.labels", request.Labels)).Data;
        data = request.Sources is null ? data : data with { Sources = request.Sources };
        Corpus corpus = Corpus.Load(data, checkpoint.LoadTokenizer(), checkpoint.LoadLabels());
        corpus.CheckContext(config.Model.Context);
        using Backend backend = request.Device.Open();
        using Decoder model = checkpoint.LoadModel(backend);
        int all = corpus.ValidationWindows(config.Model.Context);
        int[] windows = [.. Enumerable.Range(0, Math.Min(request.Windows ?? all, all))];
        (EvalReport report, IReadOnlyList<RoutingReport> routing) = Evaluation.Run(
            backend, model, corpus.ForEvaluation(config.Model.Context, windows), checkpoint.Step);
        IReadOnlyList<NoteReport> notes = ModelInfo.NotesOf(checkpoint);
        if (!double.IsFinite(report.Loss))
            notes = [.. notes, new NoteReport(0, "the loss is not finite: the model's weights are damaged, or its training went wrong")];
        return new EvaluationResult(report, routing, windows.Length, notes);
    }
}
