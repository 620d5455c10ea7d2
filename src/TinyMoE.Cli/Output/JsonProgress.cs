using TinyMoE.Inspect;
using TinyMoE.Train;

namespace TinyMoE.Cli.Output;

/// <summary>Writes the lines of metrics.jsonl, as they come.</summary>
internal sealed class JsonProgress(TextWriter output) : ITrainingListener
{
    public void OnStart(TrainingStart start)
    {
        foreach (NoteReport note in start.Notes ?? [])
            output.WriteLine(Printable.Json(MetricsJson.Line(note)));
    }

    public void OnStep(StepReport r) => output.WriteLine(Printable.Json(MetricsJson.Line(r)));

    public void OnEvaluation(EvalReport eval, IReadOnlyList<RoutingReport> routing, bool best)
    {
        output.WriteLine(Printable.Json(MetricsJson.Line(eval)));
        foreach (RoutingReport layer in routing)
            output.WriteLine(Printable.Json(MetricsJson.Line(layer)));
        output.Flush();
    }

    public void OnWarning(WarningReport warning)
    {
        output.WriteLine(Printable.Json(MetricsJson.Line(warning)));
        output.Flush();
    }

    public void OnNote(NoteReport note) => output.WriteLine(Printable.Json(MetricsJson.Line(note)));

    public void OnProblem(ProblemReport problem)
    {
        output.WriteLine(Printable.Json(MetricsJson.Line(problem)));
        output.Flush();
    }

    public void OnCheckpoint(int step, string path)
    {
    }
}
