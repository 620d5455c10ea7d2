using System.Text.Json;
using System.Text.Json.Nodes;

namespace TinyMoE.Campaign;

/// <summary>What is left of a run: the files of its two checkpoints, and its metrics without times and memory.</summary>
/// <param name="Files">The files by their path in the run's folder.</param>
/// <param name="Metrics">The lines that a repeated run repeats.</param>
/// <param name="Others">What else lies in the folder.</param>
internal sealed record RunContents(SortedDictionary<string, byte[]> Files, IReadOnlyList<string> Metrics, IReadOnlyList<string> Others)
{
    /// <summary>The checkpoint that a run goes on from, and that of its lowest loss.</summary>
    public const string Last = "last", Best = "best";

    private const string MetricsFile = "metrics.jsonl";

    private static readonly string[] Repeated = ["train", "eval", "routing", "warning"];

    /// <summary>Reads a run's folder; nothing of it needs to be there.</summary>
    public static RunContents Of(string folder)
    {
        SortedDictionary<string, byte[]> files = new(StringComparer.Ordinal);
        foreach (string name in (string[])[Last, Best])
        {
            string checkpoint = Path.Combine(folder, name);
            if (!Directory.Exists(checkpoint))
                continue;
            foreach (string file in Directory.EnumerateFiles(checkpoint, "*", SearchOption.AllDirectories))
                files.Add(Path.GetRelativePath(folder, file), File.ReadAllBytes(file));
        }

        string metrics = Path.Combine(folder, MetricsFile);
        IEnumerable<string> entries = Directory.Exists(folder)
            ? Directory.EnumerateFileSystemEntries(folder).Select(entry => Path.GetFileName(entry)) : [];
        string[] others = [.. entries.Where(name => name is not (Last or Best or MetricsFile)).Order(StringComparer.Ordinal)];
        return new RunContents(files, File.Exists(metrics) ? [.. File.ReadLines(metrics).SelectMany(Lasting)] : [], others);
    }

    /// <summary>The first difference to another run; null: there is none.</summary>
    public string? DifferenceTo(RunContents other)
    {
        foreach (string name in Files.Keys.Union(other.Files.Keys))
        {
            if (!Files.TryGetValue(name, out byte[]? mine))
                return $"{name} is not there";
            if (!other.Files.TryGetValue(name, out byte[]? its))
                return $"{name} should not be there";
            if (!mine.AsSpan().SequenceEqual(its))
                return $"{name} has other bytes, from byte {mine.AsSpan().CommonPrefixLength(its)} of {its.Length} ({mine.Length})";
        }

        for (int i = 0; i < Math.Max(Metrics.Count, other.Metrics.Count); i++)
        {
            string? mine = Metrics.ElementAtOrDefault(i), its = other.Metrics.ElementAtOrDefault(i);
            if (mine != its)
                return $"line {i + 1} of what lasts in {MetricsFile} is {mine ?? "not there"}, and should be {its ?? "none"}";
        }

        return null;
    }

    /// <summary>The line without what differs from run to run; none where all of it does.</summary>
    private static IEnumerable<string> Lasting(string line)
    {
        JsonObject? json;
        try
        {
            json = JsonNode.Parse(line) as JsonObject;
        }
        catch (JsonException)
        {
            json = null;
        }

        string? kind = json?["kind"]?.GetValue<string>();
        if (kind is null)
            return [line]; // cut off, or no line of ours: it differs from any
        json!.Remove("tokens_per_second");
        bool isFirstNote = kind == "note" && json["step"]?.GetValue<int>() == 0;
        return isFirstNote || Repeated.Contains(kind) ? [json.ToJsonString()] : [];
    }
}
