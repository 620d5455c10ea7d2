namespace TinyMoE.Train;

/// <summary>The folder of a run: the checkpoints <c>best</c> (lowest validation loss) and <c>last</c>, and <c>metrics.jsonl</c>.</summary>
/// <param name="Root">The path of the folder.</param>
public sealed record RunFolder(string Root)
{
    /// <summary>The checkpoint of the lowest validation loss.</summary>
    public string Best => Path.Combine(Root, "best");

    /// <summary>The newest checkpoint; resuming goes on from it.</summary>
    public string Last => Path.Combine(Root, "last");

    /// <summary>One JSON object per line: training steps, evaluations, routing, memory.</summary>
    public string Metrics => Path.Combine(Root, "metrics.jsonl");

    /// <summary>Whether there is a run to resume.</summary>
    public bool HasRun => Checkpoint.Exists(Last);

    /// <summary>
    /// The checkpoint to evaluate or to generate from: the run's best, else its last; or the folder itself where it is a checkpoint.
    /// </summary>
    /// <exception cref="TinyMoEException">There is none.</exception>
    public static string FindCheckpoint(string folder)
    {
        RunFolder run = new(folder);
        foreach (string candidate in (string[])[run.Best, run.Last, folder])
        {
            if (Checkpoint.Exists(candidate))
                return candidate;
        }

        throw new TinyMoEException(Directory.Exists(folder)
            ? $"{folder} holds no checkpoint; give the folder of a run (--out of a training)."
            : $"There is no folder {folder}; give the folder of a run (--out of a training).");
    }

    /// <summary>Opens the metrics for writing after <paramref name="step"/>; what was written after it is dropped.</summary>
    internal MetricsLog OpenMetrics(int step) => new(Metrics, step);
}
