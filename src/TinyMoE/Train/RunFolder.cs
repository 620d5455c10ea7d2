using System.Globalization;
using TinyMoE.Files;

namespace TinyMoE.Train;

/// <summary>
/// The folder of a run: the checkpoints <c>best</c> (lowest validation loss) and <c>last</c>, and <c>metrics.jsonl</c>. A training writes
/// into an empty or a new folder, or into one that holds a run; what it did not write it leaves alone.
/// </summary>
/// <param name="Root">The path of the folder.</param>
public sealed record RunFolder(string Root)
{
    /// <summary>The path of the folder; an empty one would be the working directory to some calls and an error to others.</summary>
    public string Root { get; init; } =
        Root.Length > 0 ? Root : throw new TinyMoEException("The name of a run's folder is empty; name one.");

    /// <summary>The checkpoint of the lowest validation loss.</summary>
    public string Best => Path.Combine(Root, RunFiles.Best);

    /// <summary>The checkpoint of the last step that was saved.</summary>
    public string Last => Path.Combine(Root, RunFiles.Last);

    /// <summary>The checkpoint of a step that stays (<c>train.keep_every</c>).</summary>
    public string Kept(int step) => Path.Combine(Root, string.Create(CultureInfo.InvariantCulture, $"{RunFiles.Step}{step}"));

    /// <summary>The checkpoints that stay and are there, in the order of their steps.</summary>
    public IReadOnlyList<string> AllKept => !Directory.Exists(Root) ? [] :
    [
        .. Directory.EnumerateDirectories(Root, RunFiles.Step + "*").Where(place => RunFiles.StepOf(Path.GetFileName(place)) is not null)
            .Where(Checkpoint.IsThere).OrderBy(place => RunFiles.StepOf(Path.GetFileName(place))),
    ];

    /// <summary>One JSON object per line: training steps, evaluations, routing, memory.</summary>
    public string Metrics => Path.Combine(Root, RunFiles.Metrics);

    /// <summary>Whether there is a run to resume.</summary>
    public bool HasRun => Checkpoint.Exists(Last) || Checkpoint.Exists(Best);

    /// <summary>
    /// The checkpoint to evaluate or to generate from: the run's best, else its last; or the folder itself where it is a checkpoint. One
    /// that has lost files is not passed over: to open it says which.
    /// </summary>
    /// <exception cref="TinyMoEException">There is none.</exception>
    public static string FindCheckpoint(string folder)
    {
        RunFolder run = new(folder);
        string? found = Array.Find([run.Best, run.Last], Checkpoint.IsThere) ?? (Checkpoint.Exists(folder) ? folder : null);
        return found ?? throw new TinyMoEException(Directory.Exists(folder)
            ? $"{folder} holds no checkpoint; give the folder of a run (--out of a training)."
            : $"There is no folder {folder}; give the folder of a run (--out of a training).");
    }

    /// <summary>Opens the checkpoint that a run goes on from, the newest: <c>last</c>, or <c>best</c> if that is of a later step.</summary>
    /// <exception cref="TinyMoEException">There is none, one is damaged, or they are of two runs.</exception>
    public Checkpoint OpenNewest()
    {
        Checkpoint? last = Checkpoint.IsThere(Last) ? Checkpoint.Open(Last) : null, best = null;
        try
        {
            best = Checkpoint.IsThere(Best) ? Checkpoint.Open(Best) : null;
            if (best is not null && last is not null && best.Apart(last) is { } apart)
                throw new TinyMoEException($"{apart}; take away the one that does not belong in {Root}.");
            Checkpoint newest = best is not null && best.Step > (last?.Step ?? -1) ? best
                : last ?? throw new TinyMoEException($"{Root} has no run to resume.");
            if (newest.IsImported)
            {
                throw new TinyMoEException($"{Root} was imported, and has no training to go on with; begin a new run with its weights, "
                    + $"as by --init {Root} and another --out");
            }

            (newest == best ? last : best)?.Dispose();
            return newest;
        }
        catch
        {
            last?.Dispose();
            best?.Dispose();
            throw;
        }
    }

    /// <summary>
    /// What in the folder is not of a run of ours though it has the name of something that a run writes, or, in a folder without a run, any
    /// other thing; null where there is none. Hidden files of others do not count.
    /// </summary>
    internal string? FindForeign()
    {
        if (!Directory.Exists(Root))
            return File.Exists(Root) ? Root : null;
        string? foreign = null;
        bool isRun = false;
        foreach (string entry in Directory.EnumerateFileSystemEntries(Path.GetFullPath(Root)).Order(StringComparer.Ordinal))
        {
            string name = Path.GetFileName(entry);
            bool isCheckpoint = name is RunFiles.Best or RunFiles.Last || RunFiles.StepOf(name) is not null;
            bool isOurs = isCheckpoint ? Checkpoint.Exists(entry) : IsMetrics(name, entry);
            isRun |= isOurs;
            if (!isOurs && (isCheckpoint || name == RunFiles.Metrics))
                return Path.Combine(Root, name);
            if (!isOurs && name != RunFiles.Lock && !name.StartsWith('.'))
                foreign ??= Path.Combine(Root, name);
        }

        return isRun ? null : foreign;
    }

    /// <summary>
    /// Whether a run is here that a new one would overwrite: its checkpoints, or without them metrics of a run that once had some. What a
    /// crash has left of a run before its first save is nothing to keep.
    /// </summary>
    internal bool IsUsed => HasRun || (File.Exists(Metrics) && File.ReadLines(Metrics).Any(IsOfASavedRun));

    /// <summary>What keeps a training from writing here; its name where that is somebody else's.</summary>
    internal (FolderObstacle Kind, string? Name) FindObstacle(bool resume, bool overwrite)
    {
        if (FindForeign() is { } foreign)
            return (FolderObstacle.Foreign, Path.GetFileName(foreign));
        FolderObstacle kind = resume ? (HasRun ? FolderObstacle.None : FolderObstacle.NoRun)
            : overwrite || !IsUsed ? FolderObstacle.None
            : HasRun ? FolderObstacle.Run
            : FolderObstacle.LostRun;
        return (kind, null);
    }

    /// <summary>Makes sure that a run may be written here.</summary>
    /// <exception cref="TinyMoEException">It holds what no run has written, or a run that is not to go on, or none that could.</exception>
    internal void RequireUsable(bool resume, bool overwrite)
    {
        (FolderObstacle kind, string? name) = FindObstacle(resume, overwrite);
        string? problem = kind switch
        {
            FolderObstacle.None => null,
            FolderObstacle.Foreign => $"holds {name}, which no run has written; choose a new folder or an empty one",
            FolderObstacle.NoRun => "has no run to resume",
            _ => "holds a run already; resume it, overwrite it, or choose another folder",
        };
        if (problem is not null)
            throw new TinyMoEException($"{Root} {problem}.");
    }

    /// <summary>Takes the folder for one training; no other can have it until the lock is given back, or its holder is dead.</summary>
    /// <exception cref="TinyMoEException">Another has it; the message says which process.</exception>
    internal FileLock Lock() => FileLock.Take(Path.Combine(Root, RunFiles.Lock), Root);

    /// <summary>Removes the run, all but what somebody else put into its folder.</summary>
    internal void Remove()
    {
        AtomicFolder.Remove(Last, Checkpoint.IsOwn);
        AtomicFolder.Remove(Best, Checkpoint.IsOwn);
        foreach (string kept in AllKept)
            AtomicFolder.Remove(kept, Checkpoint.IsOwn);
        try
        {
            File.Delete(Metrics);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new StorageException($"Cannot remove {Metrics}: {FileProblem.Reason(e)}. Choose another --out.", e);
        }
    }

    /// <summary>Whether a line of metrics is written by runs that have saved a step: before an evaluation, and at the end.</summary>
    private static bool IsOfASavedRun(string line) => line.StartsWith(RunFiles.MetricsBegin + "eval", StringComparison.Ordinal)
        || line.StartsWith(RunFiles.MetricsBegin + "memory", StringComparison.Ordinal);

    /// <summary>Whether an entry is metrics, be they empty still.</summary>
    private static bool IsMetrics(string name, string entry) =>
        name == RunFiles.Metrics && FilePlace.NotRegular(entry) is null
        && (RunFiles.IsMetrics(entry) || new FileInfo(entry) is { Exists: true, Length: 0 });

    /// <summary>Opens the metrics for writing from this state on; what was written of later steps is dropped.</summary>
    internal MetricsLog OpenMetrics(TrainingState state) => new(Metrics, state);
}

/// <summary>What keeps a training from writing into a folder.</summary>
internal enum FolderObstacle
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Something that no run has written.</summary>
    Foreign,

    /// <summary>There is no run that could go on.</summary>
    NoRun,

    /// <summary>There is a run, which a new one would overwrite.</summary>
    Run,

    /// <summary>There are the metrics of a run whose checkpoints are gone.</summary>
    LostRun,
}
