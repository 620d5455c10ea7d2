using System.Text.Json;

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

    /// <summary>Of a checkpoint: the sums of its files.</summary>
    public const string Sums = "SHA256SUMS";

    /// <summary>Of a run: the checkpoint of the lowest validation loss.</summary>
    public const string Best = "best";

    /// <summary>Of a run: the newest checkpoint.</summary>
    public const string Last = "last";

    /// <summary>Of a run: what was measured.</summary>
    public const string Metrics = "metrics.jsonl";

    /// <summary>Of a run: held by the program that trains it.</summary>
    public const string Lock = "run.lock";

    private const int LongestLine = 1 << 16; // of metrics, in characters; a longer first line is none

    private static readonly string[] OfCheckpoint = [Config, Model, Optimizer, State, Tokenizer, Labels, Routing, Sums];
    private static readonly string[] OfRun = [Best, Last, Metrics, Lock];
    private static readonly string[] Endings = ["", ".new", ".old", ".tmp"]; // while they are written

    /// <summary>Whether a folder is a checkpoint.</summary>
    public static bool IsCheckpoint(string folder) =>
        File.Exists(Path.Combine(folder, Config)) && File.Exists(Path.Combine(folder, Model)) && File.Exists(Path.Combine(folder, State));

    /// <summary>Whether a folder is a run: of a checkpoint, of metrics, or one that has just begun and holds nothing else.</summary>
    public static bool IsRun(string folder) =>
        IsCheckpoint(Path.Combine(folder, Last)) || IsCheckpoint(Path.Combine(folder, Best)) || IsMetrics(Path.Combine(folder, Metrics))
        || (File.Exists(Path.Combine(folder, Lock))
            && Directory.EnumerateFileSystemEntries(folder).All(entry => IsNameIn(OfRun, Path.GetFileName(entry))));

    /// <summary>Whether a run or checkpoint in <paramref name="folder"/> would own what has that name there.</summary>
    public static bool Owns(string folder, string name) =>
        name == Lock || (IsNameIn(OfRun, name) && IsRun(folder)) || (IsNameIn(OfCheckpoint, name) && IsCheckpoint(folder));

    private static bool IsNameIn(string[] names, string name) =>
        names.Any(own => name.StartsWith(own, StringComparison.Ordinal) && Endings.Contains(name[own.Length..]));

    // The first line is an object with a kind and a step.
    private static bool IsMetrics(string path)
    {
        if (!File.Exists(path) || FilePlace.NotRegular(path) is not null)
            return false;
        try
        {
            char[] start = new char[LongestLine];
            using StreamReader reader = new(path);
            string line = new string(start, 0, reader.ReadBlock(start)).Split('\n')[0];
            using JsonDocument json = JsonDocument.Parse(line);
            return json.RootElement.ValueKind == JsonValueKind.Object
                && json.RootElement.TryGetProperty("kind", out _) && json.RootElement.TryGetProperty("step", out _);
        }
        catch (Exception e) when (e is JsonException || FileProblem.Is(e))
        {
            return false;
        }
    }
}
