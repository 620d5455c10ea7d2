using System.Text.Json;
using System.Text.Unicode;

namespace TinyMoE.Files;

/// <summary>Reads the file that says which tensor is in which shard of a model: <c>{"weight_map": {"name": "file", ...}}</c>.</summary>
internal static class SafetensorsIndex
{
    /// <summary>The name of the file.</summary>
    public const string FileName = "model.safetensors.index.json";

    private const long Largest = 100_000_000; // as of a header: there are as many names in it
    private const int LongestName = 255;      // that file systems have
    private const string Ending = ".safetensors";

    /// <summary>The file of each tensor, by its name in the same folder, in the order of the index.</summary>
    /// <exception cref="TinyMoEException">It cannot be read, or something in it is not as it should be.</exception>
    public static Dictionary<string, string> Read(string path)
    {
        if (FilePlace.NotRegular(path) is { } kind)
            throw new TinyMoEException($"{path} is {kind} and no file; use a copy of the model on disk.");
        try
        {
            long size = new FileInfo(path).Length;
            if (size > Largest)
                throw Broken(path, $"it has {size} bytes, and no list of tensors has more than {Largest}");
            return Parse(File.ReadAllBytes(path), path);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot read {path}: {FileProblem.Reason(e)}.", e);
        }
    }

    /// <summary>The same of the bytes of a file, which <paramref name="path"/> names in errors.</summary>
    internal static Dictionary<string, string> Parse(ReadOnlyMemory<byte> bytes, string path)
    {
        if (bytes.Length == 0)
            throw Broken(path, "it is empty");
        if (!Utf8.IsValid(bytes.Span))
            throw Broken(path, "it is not UTF-8");
        try
        {
            using JsonDocument json = JsonDocument.Parse(bytes, new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (json.RootElement.ValueKind != JsonValueKind.Object)
                throw Broken(path, "it is not a JSON object");
            if (!json.RootElement.TryGetProperty("weight_map", out JsonElement map) || map.ValueKind != JsonValueKind.Object)
                throw Broken(path, "it has no object weight_map");
            Dictionary<string, string> files = [];
            foreach (JsonProperty tensor in map.EnumerateObject())
                files.Add(tensor.Name, FileOf(tensor, path));
            return files.Count > 0 ? files : throw Broken(path, "its weight_map names no tensor");
        }
        catch (JsonException e)
        {
            bool isTwice = e.Message.Contains("uplicate", StringComparison.Ordinal);
            throw Broken(path, isTwice ? "it names something twice" : "it is not valid JSON, or not all of it is there");
        }
        catch (InvalidOperationException)
        {
            throw Broken(path, "it is not valid JSON"); // half a surrogate pair, escaped
        }
    }

    /// <summary>A name from a file is a name in the folder and leads nowhere else.</summary>
    private static string FileOf(JsonProperty tensor, string path)
    {
        string owner = $"tensor {Excerpt.Of(tensor.Name)}";
        if (tensor.Value.ValueKind != JsonValueKind.String)
            throw Broken(path, $"the file of {owner} is not a text");
        string name = tensor.Value.GetString()!;
        bool isPlain = name.Length is > 0 and <= LongestName && !name.AsSpan().ContainsAny(['/', '\\', ':'])
            && !name.StartsWith("..", StringComparison.Ordinal) && Excerpt.Of(name, LongestName) == name; // what it replaces is in no name
        if (!isPlain)
            throw Broken(path, $"the file of {owner} should be the name of a file beside it, not '{Excerpt.Of(name)}'");
        if (!name.EndsWith(Ending, StringComparison.Ordinal))
            throw Broken(path, $"the file of {owner}, {Excerpt.Of(name)}, is no {Ending}");
        return name;
    }

    private static TinyMoEException Broken(string path, string what) =>
        new($"{path} is not a list of a model's tensors: {what}. Take another copy of it.");
}
