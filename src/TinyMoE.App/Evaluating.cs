using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Inspect;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>A request to evaluate a trained model.</summary>
/// <param name="Model">Where the model is.</param>
public sealed record EvaluationRequest(ModelFolder Model)
{
    /// <summary>The texts, which are measured whole; null, or the run's own: what was held out of that in training.</summary>
    public IReadOnlyList<string>? Sources { get; init; }

    /// <summary>What the labels of <see cref="Sources"/> are, <c>source</c>, <c>file</c> or <c>record</c>; null: as in training.</summary>
    public string? Labels { get; init; }

    /// <summary>
    /// Tokens of a window; null: the model's context, of a model of others at most <see cref="Evaluating.UsualContext"/>.
    /// </summary>
    public int? Context { get; init; }

    /// <summary>How many windows to measure, from the start; null: all.</summary>
    public int? Windows { get; init; }

    /// <summary>Experts that the model does without, or sends every token to; null: none.</summary>
    public ExpertChanges? Changes { get; init; }

    /// <summary>The device that computes.</summary>
    public DeviceChoice Device { get; init; } = new();
}

/// <summary>The loss of an evaluation, and how the model's routers spread its tokens.</summary>
/// <param name="Report">The loss.</param>
/// <param name="Routing">How the experts of each layer shared the work; empty for a dense model.</param>
/// <param name="Measured">What was measured.</param>
/// <param name="Notes">What a person should know of the run's configuration, of the text and of the loss.</param>
public sealed record EvaluationResult(
    EvalReport Report, IReadOnlyList<RoutingReport> Routing, MeasuredText Measured, IReadOnlyList<NoteReport> Notes)
{
    /// <summary>What the changes that were asked for do to the loss; null: none were.</summary>
    public LossChange? Change { get; init; }
}

/// <summary>Measures how well a trained model predicts text.</summary>
public static class Evaluating
{
    /// <summary>Tokens of a window for models of others, whose contexts can be longer than what a machine has room for at once.</summary>
    public const int UsualContext = 1024;

    /// <summary>Evaluates the best model of a run on the first windows of a text, or of what was held out of its own.</summary>
    /// <exception cref="TinyMoEException">The run, the text or the device cannot be used, or the run's own text has changed.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public static EvaluationResult Run(EvaluationRequest request, CancellationToken stop = default)
    {
        using OpenedModel opened = OpenedModel.Open(request.Model);
        RunConfig config = opened.Config;
        Interventions? interventions = request.Changes?.For(config);
        EvaluatedText text = EvaluatedText.Read(request, opened, config.Data, stop);
        (IEvaluationSource windows, MeasuredText measured) = text.Windows(request, opened, stop);
        using Backend backend = request.Device.Open(opened.Config);
        using Decoder model = opened.LoadModel(backend);
        (EvalReport report, IReadOnlyList<RoutingReport> routing) = Evaluation.Run(backend, model, windows, opened.Step, interventions);
        LossChange? change = interventions is null ? null : LossChange.Measure(backend, model, windows, interventions);
        List<NoteReport> notes = [.. opened.Notes, .. text.Notes.Select(note => new NoteReport(0, note))];
        if (!double.IsFinite(report.Loss))
            notes.Add(new NoteReport(0, "the loss is not finite: the model's weights are damaged, or its training went wrong"));
        return new EvaluationResult(report, routing, measured, notes) { Change = change };
    }
}
