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
public sealed record AblationResult(AblationReport Report, MeasuredText Measured, IReadOnlyList<NoteReport> Notes);

/// <summary>Measures what is lost without each expert of a trained model, one at a time.</summary>
public static class Ablating
{
    /// <summary>
    /// Measures on the windows that an evaluation by <paramref name="request"/> would measure. <paramref name="progress"/> is told how many
    /// of how many forward passes are made, on the thread that computes.
    /// </summary>
    /// <exception cref="TinyMoEException">The model, the text or the device cannot be used, or there is no expert to ablate.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public static AblationResult Run(EvaluationRequest request, Action<int, int>? progress = null, CancellationToken stop = default)
    {
        using OpenedModel opened = OpenedModel.Open(request.Model);
        AblationMap.RequireExperts(opened.Config);
        EvaluatedText text = EvaluatedText.Read(request, opened, opened.Config.Data, stop);
        (IEvaluationSource windows, MeasuredText measured) = text.Windows(request, opened, stop);
        using Backend backend = request.Device.Open(opened.Config);
        using Decoder model = opened.LoadModel(backend);
        AblationReport report = AblationMap.Measure(backend, model, windows, Told);
        return new AblationResult(report, measured, [.. opened.Notes, .. text.Notes.Select(note => new NoteReport(0, note))]);

        void Told(int made, int all)
        {
            stop.ThrowIfCancellationRequested();
            progress?.Invoke(made, all);
        }
    }
}
