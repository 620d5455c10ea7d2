using TinyMoE.Files;

namespace TinyMoE.Web.View.Runs;

/// <summary>The runs that are looked at, read again every second while a page is open.</summary>
internal sealed class WatchedRuns : IDisposable
{
    private readonly Timer timer;
    private readonly Lock gate = new();
    private Action? changed;
    private int isReading;

    public WatchedRuns(IReadOnlyList<string> folders)
    {
        All = [.. folders.Select(folder => new WatchedRun(folder))];
        foreach (IGrouping<string, WatchedRun> same in All.GroupBy(run => run.Name).Where(group => group.Count() > 1).ToArray())
        {
            foreach (WatchedRun run in same)
                run.Name = run.Folder;
        }

        Refresh();
        timer = new Timer(_ => Refresh(), null, Timeout.Infinite, Timeout.Infinite);
    }

    /// <summary>Those that were named, in that order.</summary>
    public IReadOnlyList<WatchedRun> All { get; }

    /// <summary>Told when a run has something new, on a thread of the pool; while somebody listens the runs are read.</summary>
    public event Action Changed
    {
        add
        {
            lock (gate)
            {
                changed += value;
                timer.Change(TimeSpan.Zero, TimeSpan.FromSeconds(1));
            }
        }

        remove
        {
            lock (gate)
            {
                changed -= value;
                if (changed is null)
                    timer.Change(Timeout.Infinite, Timeout.Infinite);
            }
        }
    }

    /// <summary>The runs in a folder, by name; those that have metrics or checkpoints.</summary>
    public static string[] In(string folder) => !Directory.Exists(folder) ? []
        : [.. Directory.EnumerateDirectories(folder).Where(RunFiles.IsRun).Order(StringComparer.Ordinal)];

    public void Dispose() => timer.Dispose();

    private void Refresh()
    {
        if (Interlocked.Exchange(ref isReading, 1) == 1)
            return;
        try
        {
            bool came = false;
            foreach (WatchedRun run in All)
                came |= run.Refresh();
            if (came)
                changed?.Invoke();
        }
        finally
        {
            Volatile.Write(ref isReading, 0);
        }
    }
}
