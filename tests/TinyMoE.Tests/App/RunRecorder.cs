using TinyMoE.Inspect;
using TinyMoE.Train;

namespace TinyMoE.Tests.App;

/// <summary>Keeps the events of a training, in order, by name; and does something at the start and after a step.</summary>
internal sealed class RunRecorder(Action<int>? afterStep = null) : ITrainingListener
{
    public List<string> Events { get; } = [];

    public TrainingStart? Start { get; private set; }

    public void OnStart(TrainingStart start)
    {
        Start = start;
        Events.Add("start");
        afterStep?.Invoke(start.FirstStep - 1);
    }

    public void OnStep(StepReport r)
    {
        Events.Add($"step {r.Step}");
        afterStep?.Invoke(r.Step);
    }

    public void OnEvaluation(EvalReport eval, IReadOnlyList<RoutingReport> routing, bool best) =>
        Events.Add($"evaluation {eval.Step} of {routing.Count} layers");

    public void OnCheckpoint(int step, string path) => Events.Add($"checkpoint {step} in {Path.GetFileName(path)}");
}
