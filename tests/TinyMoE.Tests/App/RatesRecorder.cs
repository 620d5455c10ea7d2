using TinyMoE.Inspect;
using TinyMoE.Train;

namespace TinyMoE.Tests.App;

/// <summary>Keeps the notes of a run's start and the learning rate of each step.</summary>
internal sealed class RatesRecorder : ITrainingListener
{
    public IReadOnlyList<NoteReport> Notes { get; private set; } = [];

    public List<float> Rates { get; } = [];

    public void OnStart(TrainingStart start) => Notes = start.Notes ?? [];

    public void OnStep(StepReport r) => Rates.Add(r.LearningRate);

    public void OnEvaluation(EvalReport eval, IReadOnlyList<RoutingReport> routing, bool best)
    {
    }

    public void OnCheckpoint(int step, string path)
    {
    }
}
