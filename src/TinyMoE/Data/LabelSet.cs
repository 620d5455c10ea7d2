using System.Collections;
using System.Text.Json;
using TinyMoE.Configuration;
using TinyMoE.Files;

namespace TinyMoE.Data;

/// <summary>The names of labels (domains, tasks); a label is its place among them.</summary>
public sealed class LabelSet : IReadOnlyList<string>
{
    private static readonly JsonSerializerOptions Format = new() { WriteIndented = true, Encoder = ConfigJson.Options.Encoder };

    private readonly string[] names;

    /// <summary>Labels of these names, at least one, no name twice.</summary>
    public LabelSet(IEnumerable<string> names)
    {
        this.names = [.. names];
        if (this.names.Length == 0 || this.names.Any(string.IsNullOrEmpty) || this.names.Distinct().Count() != this.names.Length)
            throw new ArgumentException("Labels have names, at least one, and no name twice.", nameof(names));
    }

    /// <summary>Number of labels.</summary>
    public int Count => names.Length;

    /// <summary>The name of a label.</summary>
    public string this[int label] => names[label];

    /// <summary>The label of that name, or -1.</summary>
    public int IndexOf(string name) => Array.IndexOf(names, name);

    /// <summary>The label of that name; throws a <see cref="TinyMoEException"/> that lists the known ones.</summary>
    public int Find(string name) => IndexOf(name) is >= 0 and int label ? label
        : throw new TinyMoEException($"There is no label '{name}'{Nearest.Hint(name, names)}; known: {string.Join(", ", names)}.");

    /// <summary>Makes sure that all labels are among the first <paramref name="known"/>, which are those of training.</summary>
    /// <exception cref="TinyMoEException">One is not: router task has no experts for it.</exception>
    internal void RequireTrained(ReadOnlySpan<int> labels, int known)
    {
        foreach (int label in labels)
        {
            if (label >= known)
            {
                throw new TinyMoEException(
                    $"moe.router=task knows no label '{names[label]}'; known: {string.Join(", ", names.Take(known))}. "
                    + $"Name the text as one of them, as in --data {names[0]}=PATH --labels source.");
            }
        }
    }

    /// <inheritdoc/>
    public IEnumerator<string> GetEnumerator() => names.AsEnumerable().GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    /// <summary>Reads what <see cref="Save"/> wrote; throws a <see cref="TinyMoEException"/> for anything else.</summary>
    public static LabelSet Load(string path)
    {
        try
        {
            return Read(File.ReadAllBytes(path), path);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot read the labels {path}: {FileProblem.Reason(e)}.", e);
        }
    }

    /// <summary>Reads labels from a file's contents; <paramref name="path"/> names it in errors.</summary>
    internal static LabelSet Read(ReadOnlySpan<byte> contents, string path)
    {
        try
        {
            return new LabelSet(JsonSerializer.Deserialize<string[]>(contents) ?? []);
        }
        catch (Exception e) when (e is JsonException or ArgumentException or InvalidOperationException)
        {
            throw new TinyMoEException($"{path} does not hold labels; expected is a list of different names, [\"poems\", \"prose\"].", e);
        }
    }

    /// <summary>Writes the names as JSON: <c>["poems", "prose"]</c>.</summary>
    public void Save(string path) => AtomicFile.WriteText(path, JsonSerializer.Serialize(names, Format));
}
