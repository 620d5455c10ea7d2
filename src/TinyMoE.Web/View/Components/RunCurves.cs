using TinyMoE.Web.View.Runs;

namespace TinyMoE.Web.View.Components;

/// <summary>What curves are drawn over.</summary>
public enum XAxis
{
    /// <summary>Steps of training.</summary>
    Steps,

    /// <summary>Tokens of these steps.</summary>
    Tokens,

    /// <summary>Seconds that these steps took.</summary>
    Time,
}

/// <summary>The curves of runs over one another, a colour per run.</summary>
internal sealed class RunCurves(IReadOnlyList<WatchedRun> runs, XAxis by)
{
    private const int MostPoints = 600;

    /// <summary>What X is, in words.</summary>
    public string XName => by switch { XAxis.Tokens => "tokens", XAxis.Time => "seconds of training", _ => "step" };

    /// <summary>Of training.</summary>
    public Curve[] Steps(Func<RunMetrics, List<double>> column) =>
        [.. runs.Select((run, i) => Line(run, run.Name, i, isDashed: false, m => m.Steps, column))];

    /// <summary>Of training and of validation.</summary>
    public Curve[] Pairs(Func<RunMetrics, List<double>> training, Func<RunMetrics, List<double>> validation) =>
    [
        .. runs.SelectMany((run, i) => new[]
        {
            Line(run, Said(run, "training"), i, isDashed: false, m => m.Steps, training),
            Line(run, Said(run, "validation"), i, isDashed: true, m => m.EvaluationSteps, validation),
        }),
    ];

    /// <summary>What was warned of, on the first curve of each run, as <see cref="Steps"/> and <see cref="Pairs"/> give them.</summary>
    public ChartMark[] Marks(IReadOnlyList<Curve> curves) => ChartMark.Thin(runs.SelectMany((run, i) =>
    {
        Curve curve = curves.First(each => each.Color == i);
        string who = runs.Count == 1 ? "" : run.Name + ", ";
        return run.Read(m =>
        {
            RunEvent[] said = [.. m.Events.Where(ChartMark.IsMarked)];
            IReadOnlyList<double> places = Places(m, [.. said.Select(each => (double)each.Step)], run.TokensPerStep);
            return said.Select((each, at) => ChartMark.On(curve, places[at], each, who)).OfType<ChartMark>().ToArray();
        });
    }));

    private string Said(WatchedRun run, string kind) => runs.Count == 1 ? kind : $"{run.Name}, {kind}";

    private Curve Line(
        WatchedRun run, string name, int color, bool isDashed, Func<RunMetrics, List<double>> steps,
        Func<RunMetrics, List<double>> values) =>
        new(name, run.Read(m => Buckets.Thin(Places(m, steps(m), run.TokensPerStep), values(m), MostPoints)), color, isDashed);

    private IReadOnlyList<double> Places(RunMetrics metrics, List<double> steps, double tokens) => by switch
    {
        XAxis.Tokens => steps.ConvertAll(step => step * tokens),
        XAxis.Time => steps.ConvertAll(metrics.SecondsAt),
        _ => steps,
    };
}
