using System.Globalization;

namespace TinyMoE.Files;

/// <summary>The names of the files of runs and checkpoints, and folders that are some.</summary>
internal static class RunFiles
{
    /// <summary>Of a checkpoint: the configuration.</summary>
    public const string Config = "config.json";

    /// <summary>Of a checkpoint: the weights.</summary>
    public const string Model = "model.safetensors";

    /// <summary>Of a checkpoint: the optimiser's moments.</summary>
    public const string Optimizer = "optimizer.safetensors";

    /// <summary>Of a checkpoint: the run's own state.</summary>
    public const string State = "state.json";

    /// <summary>Of a checkpoint: the tokenizer.</summary>
    public const string Tokenizer = "tokenizer.json";

    /// <summary>Of a checkpoint: the names of labels.</summary>
    public const string Labels = "labels.json";

    /// <summary>Of a checkpoint: what the last evaluation saw of the routers.</summary>
    public const string Routing = "routing.safetensors";

    /// <summary>Of a checkpoint whose weights came from a model of others: its chat template.</summary>
    public const string ChatTemplate = "chat_template.jinja";

    /// <summary>Of a checkpoint whose weights came from a model of others: how its makers generate with it.</summary>
    public const string Generation = "generation_config.json";

    /// <summary>Of a checkpoint: the sums of its files.</summary>
    public const string Sums = "SHA256SUMS";

    /// <summary>Of a run: the checkpoint of the lowest validation loss.</summary>
    public const string Best = "best";

    /// <summary>Of a run: the newest checkpoint.</summary>
    public const string Last = "last";

    /// <summary>What the name of a checkpoint that stays begins with, before its step.</summary>
    public const string Step = "step-";

    /// <summary>Of a run: what was measured.</summary>
    public const string Metrics = "metrics.jsonl";

    /// <summary>Of a run: held by the program that trains it.</summary>
    public const string Lock = "run.lock";

    /// <summary>What every line of metrics begins with.</summary>
    public const string MetricsBegin = "{\"kind\":\"";

    /// <summary>All files of a checkpoint but the list of its sums, which may name others.</summary>
    public static readonly string[] OfCheckpoint =
        [Config, Model, Optimizer, State, Routing, Tokenizer, Labels, ChatTemplate, Generation];

    /// <summary>Files of a checkpoint that say how its model is used; a training passes them on as they are.</summary>
    public static readonly string[] Companions = [ChatTemplate, Generation];

    /// <summary>The files that every checkpoint of every format has.</summary>
    public static readonly string[] OfEveryCheckpoint = [Config, Model, State];

    private static readonly string[] OfRun = [Best, Last, Metrics, Lock];

    /// <summary>The step of a checkpoint that stays, by the name of its folder; null: it is no such name.</summary>
    public static int? StepOf(string name) =>
        name.StartsWith(Step, StringComparison.Ordinal)
        && int.TryParse(name.AsSpan(Step.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int step)
        && name[Step.Length] != '0' ? step : null;

    /// <summary>Whether a folder has the files of a checkpoint.</summary>
    public static bool IsCheckpoint(string folder) =>
        Array.TrueForAll(OfEveryCheckpoint, name => File.Exists(Path.Combine(folder, name))) || Checksums.List(folder, OfEveryCheckpoint);

    /// <summary>Whether a folder is a run: of a checkpoint, of metrics, or one that has just begun and holds nothing else.</summary>
    public static bool IsRun(string folder) =>
        IsCheckpoint(Path.Combine(folder, Last)) || IsCheckpoint(Path.Combine(folder, Best)) || IsMetrics(Path.Combine(folder, Metrics))
        || (File.Exists(Path.Combine(folder, Lock))
            && Directory.EnumerateFileSystemEntries(folder).All(entry => IsOfRun(Path.GetFileName(entry))));

    private static bool IsOfRun(string name) => OfRun.Contains(name) || StepOf(name) is not null;

    /// <summary>Whether a run or checkpoint in <paramref name="folder"/> would own what has that name there.</summary>
    public static bool Owns(string folder, string name) =>
        name == Lock || (IsOfRun(name) && IsRun(folder)) || ((name == Sums || OfCheckpoint.Contains(name)) && IsCheckpoint(folder));

    /// <summary>Whether a file begins as metrics do, be it with a line that was cut off.</summary>
    public static bool IsMetrics(string path)
    {
        if (!File.Exists(path) || FilePlace.NotRegular(path) is not null)
            return false;
        try
        {
            using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            Span<byte> start = stackalloc byte[MetricsBegin.Length];
            int read = file.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
            return read > 0 && MetricsBegin.StartsWith(System.Text.Encoding.Latin1.GetString(start[..read]), StringComparison.Ordinal);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            return false;
        }
    }
}
