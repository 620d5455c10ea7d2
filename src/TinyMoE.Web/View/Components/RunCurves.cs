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
