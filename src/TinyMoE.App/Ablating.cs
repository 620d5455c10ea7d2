using TinyMoE.Backends;
using TinyMoE.Data;
using TinyMoE.Inspect;
using TinyMoE.Models;
using TinyMoE.Train;

namespace TinyMoE.App;

/// <summary>What is lost without each expert of a model.</summary>
/// <param name="Report">The losses, with all experts and without each.</param>
/// <param name="Measured">What was measured.</param>
/// <param name="Notes">What a person should know of the model and of the text.</param>
public sealed record AblationResult(AblationReport Report, MeasuredText Measured, IReadOnlyList<NoteReport> Notes)
{
    /// <summary>The step of the model, of a run.</summary>
    public int Step { get; init; }

    /// <summary>What each expert lives on, of the same windows through the same weights; null: not asked for.</summary>
    public TraceSummary? Summary { get; init; }
}

/// <summary>Measures what is lost without each expert of a trained model, one at a time.</summary>
public static class Ablating
{
    /// <summary>
    /// Measures on the windows that an evaluation by <paramref name="request"/> would measure. <paramref name="progress"/> is told how many
    /// of how many forward passes are made, on the thread that computes.
    /// </summary>
    /// <exception cref="TinyMoEException">The model, the text or the device cannot be used, or there is no expert to ablate.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public static AblationResult Run(EvaluationRequest request, Action<int, int>? progress = null, CancellationToken stop = default) =>
        Run(request, summarises: false, progress, stop);

    /// <summary>
    /// The same, and what each expert lives on: a trace of the same windows through the same weights, which are read once, so that both are
    /// of one step of a run that trains. The passes of the trace count as well.
    /// </summary>
    /// <inheritdoc cref="Run(EvaluationRequest, Action{int, int}?, CancellationToken)"/>
    public static AblationResult RunWithSummary(
        EvaluationRequest request, Action<int, int>? progress = null, CancellationToken stop = default) =>
        Run(request, summarises: true, progress, stop);

    private static AblationResult Run(EvaluationRequest request, bool summarises, Action<int, int>? progress, CancellationToken stop)
    {
        using OpenedModel opened = OpenedModel.Open(request.Model);
        AblationMap.RequireExperts(opened.Config);
        EvaluatedText text = EvaluatedText.Read(request, opened, opened.Config.Data, stop);
        (IEvaluationSource windows, MeasuredText measured) = text.Windows(request, opened, stop);
        using Backend backend = request.Device.Open(opened.Config);
        using Decoder model = opened.LoadModel(backend);
        int traced = summarises ? EvaluationGroups.Of(opened.Config, windows.Sequences).Count() : 0, last = 0;
        AblationReport report = AblationMap.Measure(backend, model, windows, Told);
        return new AblationResult(report, measured, [.. opened.Notes, .. text.Notes.Select(note => new NoteReport(0, note))])
        {
            Step = opened.Step,
            Summary = summarises ? Tracing.Summarise(new Tracer(backend, model), windows, opened.LoadTokenizer(), OnTraced, stop) : null,
        };

        void Told(int made, int all)
        {
            stop.ThrowIfCancellationRequested();
            last = all;
            progress?.Invoke(made, all + traced);
        }

        void OnTraced(int made) => progress?.Invoke(last + made, last + traced);
    }
}
