using System.Reflection;
using Microsoft.AspNetCore.Components;
using Microsoft.AspNetCore.Components.Web;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.JSInterop;
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
    public static IReadOnlyList<string> Write(ReportOptions options)
    {
        foreach (string run in options.Runs)
            RequireMetrics(run, options.Out);
        using Viewed viewed = new(new ViewOptions { Runs = options.Runs });
        foreach (WatchedRun run in viewed.Runs.All)
        {
            RequireSteps(run);
            run.Name = Text.OneLine(run.Name);
        }

        ReportedRun[] runs = [.. viewed.Runs.All.Select(Look)];
        string title = Text.OneLine(options.Title ?? string.Join(", ", runs.Select(each => each.Run.Name)));
        ReportContent content = new(title, string.Concat(Styles.Select(Resource)), DateTime.UtcNow, runs);
        AtomicFile.WriteText(options.Out, RenderAsync(viewed, content).GetAwaiter().GetResult());
        return [.. runs.SelectMany(Notes)];
    }

    /// <summary>The whole document.</summary>
    private static async Task<string> RenderAsync(Viewed viewed, ReportContent content)
    {
        ServiceCollection parts = new();
        parts.AddSingleton(viewed).AddSingleton(content);
        parts.AddSingleton<IJSRuntime, NoScripts>().AddSingleton<NavigationManager, NoPlaces>().AddScoped<Radzen.TooltipService>();
        await using ServiceProvider services = parts.BuildServiceProvider();
        await using HtmlRenderer renderer = new(services, NullLoggerFactory.Instance);
        return await renderer.Dispatcher.InvokeAsync(async () => (await renderer.RenderComponentAsync<ReportPage>()).ToHtmlString());
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

    private static IEnumerable<string> Notes(ReportedRun reported)
    {
        if (reported.Run.Read(m => m.BrokenLines) is > 0 and int broken)
            yield return $"{reported.Run.Name}: {broken} lines of metrics.jsonl cannot be read and are left out";
        if (reported.Problem is { } problem)
            yield return $"{reported.Run.Name} is reported without its model: {problem}";
    }

    private static string Resource(string name)
    {
        using StreamReader reader = new(Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }

    /// <summary>No script runs in a file: what a component asks of one is answered by nothing.</summary>
    private sealed class NoScripts : IJSRuntime
    {
        public ValueTask<T> InvokeAsync<T>(string identifier, object?[]? args) => ValueTask.FromResult<T>(default!);

        public ValueTask<T> InvokeAsync<T>(string identifier, CancellationToken cancellationToken, object?[]? args) =>
            ValueTask.FromResult<T>(default!);
    }

    /// <summary>Nobody goes from a file to another page.</summary>
    private sealed class NoPlaces : NavigationManager
    {
        public NoPlaces() => Initialize("file:///", "file:///report.html");
    }
}
