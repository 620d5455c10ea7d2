using TinyMoE.Configuration;
using TinyMoE.Files;

namespace TinyMoE.Web.View.Runs;

/// <summary>How a run that is watched stands.</summary>
internal enum RunState
{
    /// <summary>Nothing is there yet, or not any more.</summary>
    Missing,

    /// <summary>It writes.</summary>
    Training,

    /// <summary>It has not written for a while, and has steps to go.</summary>
    Quiet,

    /// <summary>It said that it ended.</summary>
    Ended,
}

/// <summary>A run that is looked at from outside: its files alone are read, the training knows nothing of it.</summary>
internal sealed class WatchedRun(string folder)
{
    private static readonly TimeSpan QuietAfter = TimeSpan.FromSeconds(60);

    private readonly Lock gate = new();
    private readonly MetricsTail tail = new(Path.Combine(folder, RunFiles.Metrics));
    private RunMetrics metrics = new();
    private DateTime configWritten;

    /// <summary>The folder.</summary>
    public string Folder { get; } = folder;

    /// <summary>What it is called on the pages: the folder's name, or more of its path where two have the same.</summary>
    public string Name { get; set; } = Path.GetFileName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));

    /// <summary>The configuration of its newest checkpoint; null before the first.</summary>
    public RunConfig? Config { get; private set; }

    /// <summary>Grows with everything new.</summary>
    public int Version { get; private set; }

    /// <summary>Whether it trains.</summary>
    public RunState State { get; private set; }

    /// <summary>When its newest line was written; null before it was there.</summary>
    public DateTime? WrittenAt => tail.WrittenAt;

    /// <summary>Reads what came since the last time; false: nothing.</summary>
    public bool Refresh()
    {
        lock (gate)
        {
            RunState before = State;
            bool came = ReadConfig();
            came |= tail.Follow(ref metrics, () => new RunMetrics { TokensPerStep = TokensPerStep });
            State = !tail.IsThere ? RunState.Missing : metrics.HasEnded ? RunState.Ended
                : DateTime.UtcNow - tail.WrittenAt < QuietAfter ? RunState.Training : RunState.Quiet;
            if (!came && State == before)
                return false;
            Version++;
            return true;
        }
    }

    /// <summary>Looks at the metrics while nobody adds to them.</summary>
    public T Read<T>(Func<RunMetrics, T> look)
    {
        lock (gate)
            return look(metrics);
    }

    /// <summary>Tokens of a step; NaN where no configuration says.</summary>
    public double TokensPerStep => Config is { } config ? (double)config.Train.Batch * config.Model.Context : double.NaN;

    /// <summary>The time that the steps to go take at the speed of the last; null: nobody knows, or there are none.</summary>
    public TimeSpan? Left => Read(read =>
    {
        int left = (Config?.Train.Steps ?? 0) - read.LastStep;
        double[] last = [.. read.TokensPerSecond.TakeLast(20).Where(double.IsFinite).Order()];
        if (left <= 0 || last.Length == 0 || State is RunState.Ended or RunState.Missing)
            return (TimeSpan?)null;
        double seconds = left * TokensPerStep / last[last.Length / 2];
        return seconds is >= 0 and < 1e9 ? TimeSpan.FromSeconds(seconds) : null;
    });

    /// <summary>A checkpoint is renamed into its place: its configuration is read anew when it is another.</summary>
    private bool ReadConfig()
    {
        try
        {
            string? newest = new[] { RunFiles.Last, RunFiles.Best }.Select(name => Path.Combine(Folder, name, RunFiles.Config))
                .Append(Path.Combine(Folder, RunFiles.Config)).FirstOrDefault(File.Exists);
            if (newest is null || File.GetLastWriteTimeUtc(newest) == configWritten)
                return false;
            configWritten = File.GetLastWriteTimeUtc(newest);
            Config = ConfigJson.Load(newest);
            if (!double.IsNaN(metrics.TokensPerStep))
                return true;
            tail.Forget(); // the steps before have no time yet
            return true;
        }
        catch (Exception e) when (e is TinyMoEException or IOException or UnauthorizedAccessException)
        {
            return false; // it is being replaced, or is broken: the curves are there all the same
        }
    }
}
