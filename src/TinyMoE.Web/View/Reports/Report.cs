using System.Reflection;
using Microsoft.Extensions.DependencyInjection;
using TinyMoE.App;
using TinyMoE.Files;
using TinyMoE.Web.View.Runs;

namespace TinyMoE.Web.View.Reports;

/// <summary>
/// What <c>tinymoe view</c> shows of runs, as one file of HTML that is opened from disk, sent or printed. The components are the pages'
/// own, drawn once without a browser; the style lies in the file, and there is neither a script nor anything that is fetched.
/// </summary>
public static class Report
{
    private const string GiveARun = "give the folder of a run (--out of a training)";

    private static readonly string[] Styles = ["view.css", "report.css"];

    /// <summary>Writes the report. What it returns should be told: lines that cannot be read, models that are not there.</summary>
    /// <exception cref="TinyMoEException">A folder is no run with metrics, or the file cannot be written there.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled while experts were measured.</exception>
    public static IReadOnlyList<string> Write(ReportOptions options, CancellationToken stop = default)
    {
        if (options.AblateWindows is < 1)
            throw new TinyMoEException($"{options.AblateWindows} windows are asked for; there can be 1 or more.");
        foreach (string run in options.Runs)
            RequireMetrics(run, options.Out);
        using Viewed viewed = new(new ViewOptions { Runs = options.Runs });
        foreach (WatchedRun run in viewed.Runs.All)
        {
            RequireSteps(run);
            run.Name = Text.OneLine(run.Name);
        }

        ReportedRun[] runs = [.. viewed.Runs.All.Select(run => Ablated(Look(run), options, stop))];
        string title = Text.OneLine(options.Title ?? string.Join(", ", runs.Select(each => each.Run.Name)));
        ReportContent content = new(title, string.Concat(Styles.Select(Resource)), DateTime.UtcNow, runs);
        AtomicFile.WriteText(options.Out, RenderAsync(viewed, content).GetAwaiter().GetResult());
        return [.. runs.SelectMany(Notes)];
    }

    /// <summary>The whole document.</summary>
    private static Task<string> RenderAsync(Viewed viewed, ReportContent content)
    {
        ServiceCollection parts = StillServices.New(viewed);
        parts.AddSingleton(content);
        return StillServices.RenderAsync<ReportPage>(parts, new Dictionary<string, object?>());
    }

    private static void RequireMetrics(string folder, string file)
    {
        if (!Directory.Exists(folder))
            throw new TinyMoEException($"There is no folder {folder}; {GiveARun}.");
        string place = FilePlace.Real(Path.GetDirectoryName(Path.GetFullPath(file)) ?? "/"), run = FilePlace.Real(folder);
        if (IsIn(place, run))
            throw new TinyMoEException($"{file} lies among the files of the run {folder}; choose another place for the report.");
        string metrics = Path.Combine(folder, RunFiles.Metrics);
        if (!File.Exists(metrics))
            throw new TinyMoEException($"There is no {metrics}, which a training writes; {GiveARun}.");
        if (FilePlace.NotRegular(metrics) is { } kind)
            throw new TinyMoEException($"{metrics} is {kind}, not what a training wrote; {GiveARun}.");
    }

    private static bool IsIn(string place, string folder) =>
        (place + Path.DirectorySeparatorChar).StartsWith(
            Path.TrimEndingDirectorySeparator(folder) + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    private static void RequireSteps(WatchedRun run)
    {
        string metrics = Path.Combine(run.Folder, RunFiles.Metrics);
        if (run.State == RunState.Missing)
            throw new TinyMoEException($"Cannot read {metrics}; see who may read it, or give another run.");
        (int steps, int broken) = run.Read(m => (m.Steps.Count + m.EvaluationSteps.Count, m.BrokenLines));
        if (steps == 0)
        {
            throw new TinyMoEException(broken > 0
                ? $"{metrics} has no line of a training that can be read; it is damaged, or another file; {GiveARun}."
                : $"{metrics} has no step yet; make the report when the training has made one.");
        }
    }

    /// <summary>A run whose checkpoint is not there yet, or damaged, is reported without its model.</summary>
    private static ReportedRun Look(WatchedRun run)
    {
        try
        {
            return new ReportedRun(run, ModelInfo.Of(new ConfigChoice(), ModelFolder.Run(run.Folder)), null);
        }
        catch (TinyMoEException e)
        {
            return new ReportedRun(run, null, e.Message);
        }
    }

    /// <summary>A run with what is lost without its experts, where that is asked for; one that cannot be measured says why.</summary>
    private static ReportedRun Ablated(ReportedRun reported, ReportOptions options, CancellationToken stop)
    {
        if (options.AblateWindows is not { } windows || reported.Model is null)
            return reported;
        try
        {
            EvaluationRequest request = new(ModelFolder.Run(reported.Run.Folder)) { Windows = windows, Device = options.Device };
            return reported with { Ablation = Ablating.Run(request, progress: null, stop) };
        }
        catch (TinyMoEException e)
        {
            return reported with { NoAblation = Components.Say.Error(e) };
        }
    }

    private static IEnumerable<string> Notes(ReportedRun reported)
    {
        if (reported.Run.Read(m => m.BrokenLines) is > 0 and int broken)
            yield return $"{reported.Run.Name}: {broken} lines of metrics.jsonl cannot be read and are left out";
        if (reported.Problem is { } problem)
            yield return $"{reported.Run.Name} is reported without its model: {problem}";
        if (reported.NoAblation is { } why)
            yield return $"{reported.Run.Name}: it is not measured what is lost without its experts: {why}";
    }

    private static string Resource(string name)
    {
        using StreamReader reader = new(Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}
