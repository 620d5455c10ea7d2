using System.Text.Json;
using TinyMoE.Files;

namespace TinyMoE.Tests.Families;

/// <summary>
/// A checkpoint in tests/golden/families, with what transformers computed of it, or in families-by-reader, with what the reader beside it
/// computed (see their READMEs).
/// </summary>
internal sealed record FamilyCase(string Folder)
{
    private const double LargestDifference = 1e-4; // of the largest value

    private static readonly string Golden = Path.Combine(FloorsTests.RepositoryRoot(), "tests", "golden");

    /// <summary>The cases by transformers.</summary>
    public static IReadOnlyList<string> Names { get; } = NamesIn("families");

    /// <summary>The cases by the reader.</summary>
    public static IReadOnlyList<string> NamesByReader { get; } = NamesIn("families-by-reader");

    /// <summary>The case of this name, of either kind.</summary>
    public static FamilyCase Of(string name) =>
        new(Path.Combine(Golden, Names.Contains(name) ? "families" : "families-by-reader", name));

    /// <summary>Sequences of equal length.</summary>
    public int[][] Inputs => [.. Case.GetProperty("input_ids").EnumerateArray().Select(Ids)];

    /// <summary>The mean cross-entropy of the next token.</summary>
    public double Loss => Case.GetProperty("loss").GetDouble();

    /// <summary>Prompts, and the tokens that greedy choice puts after them.</summary>
    public (int[] Prompt, int[] Continuation)[] Greedy => !Case.TryGetProperty("greedy", out JsonElement greedy) ? []
        : [.. greedy.EnumerateArray().Select(item => (Ids(item.GetProperty("prompt")), Ids(item.GetProperty("continuation"))))];

    /// <summary>The logits of all tokens of all sequences.</summary>
    public float[] Logits => Expected("logits") ?? [.. Case.GetProperty("logits").EnumerateArray()
        .SelectMany(row => row.EnumerateArray()).Select(value => value.GetSingle())];

    private JsonElement Case { get; } = JsonDocument.Parse(File.ReadAllBytes(Path.Combine(Folder, "case.json"))).RootElement;

    /// <summary>A tensor of what was computed; null: there is none.</summary>
    public float[]? Expected(string name)
    {
        string path = Path.Combine(Folder, "expected.safetensors");
        if (!File.Exists(path))
            return null;
        using SafetensorsReader file = SafetensorsReader.Open(path);
        if (!file.Tensors.TryGetValue(name, out SafetensorsEntry? entry))
            return null;
        float[] values = new float[entry.Count];
        file.Read(name, [.. entry.Shape], values);
        return values;
    }

    /// <summary>Makes sure that values are within the tolerance of what was expected.</summary>
    public static void AssertClose(string what, ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        double most = 0, largest = 0;
        for (int i = 0; i < expected.Length; i++)
        {
            most = Math.Max(most, Math.Abs((double)expected[i] - actual[i]));
            largest = Math.Max(largest, Math.Abs(expected[i]));
        }

        Assert.True(most <= LargestDifference * largest, $"{what} differ by {most / largest:E1} of the largest");
    }

    private static int[] Ids(JsonElement list) => [.. list.EnumerateArray().Select(id => id.GetInt32())];

    private static string[] NamesIn(string folder) =>
        [.. Directory.GetDirectories(Path.Combine(Golden, folder)).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
}
