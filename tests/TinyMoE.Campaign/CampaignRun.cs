using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace TinyMoE.Campaign;

/// <summary>What to try.</summary>
internal sealed record CampaignOptions
{
    /// <summary>The kinds of trials; empty: all.</summary>
    public IReadOnlyList<string> Kinds { get; init; } = [];

    /// <summary>How long all kinds together may take, in minutes.</summary>
    public double Minutes { get; init; } = 10;

    /// <summary>The most trials of each kind.</summary>
    public int Trials { get; init; } = int.MaxValue;

    /// <summary>The number of the first trial of each kind.</summary>
    public int First { get; init; }

    /// <summary>Trials are a function of the seed and of their number.</summary>
    public int Seed { get; init; } = 1;

    /// <summary>How many trials run at once.</summary>
    public int AtOnce { get; init; } = Math.Max(1, Environment.ProcessorCount);

    /// <summary>The built command, to be started anew for each run; null: a server forks.</summary>
    public string? Command { get; init; }

    /// <summary>Whether the folders of lost trials are kept.</summary>
    public bool Keep { get; init; }
}

/// <summary>The trials of one kind.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Trials">How many were done.</param>
/// <param name="Runs">How many runs of the command that took.</param>
/// <param name="LeftOver">How many of them left something in the folder that an undisturbed run does not leave.</param>
/// <param name="Lost">What was lost, by the number of the trial.</param>
/// <param name="Seconds">How long they took.</param>
internal sealed record KindResult(
    string Kind, int Trials, int Runs, int LeftOver, IReadOnlyDictionary<int, Verdict> Lost, double Seconds);

/// <summary>Disturbs runs in all ways that are known, and holds them to the run that nobody disturbed.</summary>
internal sealed class CampaignRun : IDisposable
{
    private readonly CampaignOptions options;
    private readonly string folder;
    private readonly IRunner[] runners;
    private readonly Scenario[] scenarios;

    /// <summary>Prepares the servers and the undisturbed runs.</summary>
    /// <exception cref="TinyMoEException">It cannot work here, or an undisturbed run fails.</exception>
    public CampaignRun(CampaignOptions options)
    {
        if (Shim.WhyNot is { } reason)
            throw new TinyMoEException($"The campaign cannot run: {reason}.");
        this.options = options;
        folder = Folders.NewTemporary();
        string shim = Shim.Build(folder);
        runners = [.. Enumerable.Range(0, options.AtOnce).Select(slot => Runner(options, shim, Path.Combine(folder, $"server{slot}")))];
        try
        {
            scenarios = Scenario.Make(runners[0], folder);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The names of all kinds of trials.</summary>
    public static IReadOnlyList<string> AllKinds { get; } = ["kill", "power", "fail", "writers", "readers"];

    /// <summary>Does the trials, one kind after the other.</summary>
    public IReadOnlyList<KindResult> Run()
    {
        string[] kinds = [.. AllKinds.Where(kind => options.Kinds.Count == 0 || options.Kinds.Contains(kind))];
        double shares = kinds.Sum(ShareOf);
        return [.. kinds.Select(kind => Run(kind, options.Trials, options.Minutes * ShareOf(kind) / shares))];
    }

    /// <summary>Does trials of one kind, as many as fit into the options' time.</summary>
    public KindResult Run(string kind, int trials) => Run(kind, trials, options.Minutes);

    /// <summary>Ends the servers and takes the folders away.</summary>
    public void Dispose()
    {
        foreach (IRunner runner in runners)
            runner.Dispose();
        if (!options.Keep)
            Folders.Delete(folder);
    }

    private static double ShareOf(string kind) => kind is "kill" or "fail" ? 0.3 : kind == "power" ? 0.2 : 0.1;

    private Trials Of(string kind) => kind switch
    {
        "kill" => new KillTrials(scenarios, options.Seed, power: false),
        "power" => new KillTrials(scenarios, options.Seed, power: true),
        "fail" => new FailTrials(scenarios, options.Seed),
        "writers" => new WriterTrials(scenarios, options.Seed),
        "readers" => new ReaderTrials(scenarios, options.Seed),
        _ => throw new ArgumentOutOfRangeException(nameof(kind), kind, "There are no such trials."),
    };

    private static IRunner Runner(CampaignOptions options, string shim, string place) =>
        options.Command is { } program ? new ProcessRunner(shim, program) : new ServerRunner(shim, place);

    private KindResult Run(string name, int most, double minutes)
    {
        Trials kind = Of(name);
        TimeSpan longest = TimeSpan.FromMinutes(minutes);
        Stopwatch clock = Stopwatch.StartNew();
        ConcurrentDictionary<int, Verdict> lost = [];
        int next = options.First - 1, trials = 0, runs = 0, leftOver = 0;
        long end = (long)options.First + most;
        Thread[] threads = [.. runners.Select(runner => new Thread(() => Work(runner)))];
        Array.ForEach(threads, thread => thread.Start());
        Array.ForEach(threads, thread => thread.Join());
        return new KindResult(kind.Name, trials, runs, leftOver, lost, clock.Elapsed.TotalSeconds);

        void Work(IRunner runner)
        {
            while (clock.Elapsed < longest && Interlocked.Increment(ref next) is int number && number < end)
            {
                string place = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{kind.Name}{number}"));
                Verdict verdict = kind.Do(runner, place, number);
                Interlocked.Increment(ref trials);
                Interlocked.Add(ref runs, verdict.Runs);
                if (verdict.Lost is not null)
                    lost[number] = verdict;
                else if (verdict.Left.Length > 0)
                    Interlocked.Increment(ref leftOver);
                if (verdict.Lost is null || !options.Keep)
                    Folders.Delete(place);
            }
        }
    }
}
