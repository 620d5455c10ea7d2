using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using TinyMoE.Files;

namespace TinyMoE.Families.Config;

/// <summary>The <c>config.json</c> of a model of others, as it is being read: it knows which keys somebody asked for.</summary>
internal sealed class FamilyConfig
{
    private const int Deepest = 16; // objects in objects

    private readonly JsonObject keys;
    private readonly HashSet<string> read = [];

    private FamilyConfig(string path, JsonObject keys) => (Path, this.keys) = (path, keys);

    /// <summary>Where it is, for messages: a file, or a key inside of one.</summary>
    public string Path { get; }

    /// <summary>The keys that nobody asked for, with their values.</summary>
    public IEnumerable<(string Name, JsonNode? Value)> Unread =>
        keys.Where(pair => !read.Contains(pair.Key)).Select(pair => (pair.Key, pair.Value));

    /// <summary>Reads a file.</summary>
    /// <exception cref="TinyMoEException">There is none, or it is no JSON object.</exception>
    public static FamilyConfig Load(string path) => new(path, ReadObject(path));

    /// <summary>What a text holds.</summary>
    internal static FamilyConfig Of(JsonObject keys, string path) => new(path, keys);

    /// <summary>The JSON object of a small file.</summary>
    /// <exception cref="TinyMoEException">There is none, or it is something else.</exception>
    public static JsonObject ReadObject(string path) => ReadObject(SmallFile.Read(path, SmallFile.Settings), path);

    /// <summary>The JSON object of a text, which <paramref name="path"/> names in errors.</summary>
    public static JsonObject ReadObject(ReadOnlySpan<byte> text, string path)
    {
        try
        {
            JsonDocumentOptions options = new() { MaxDepth = Deepest, AllowDuplicateProperties = false };
            JsonNode? root = JsonNode.Parse(text, documentOptions: options);
            RequireUnicode(root);
            return root as JsonObject ?? throw new TinyMoEException($"{path} is no JSON object; take another copy of the model");
        }
        catch (JsonException e)
        {
            string what = Excerpt.Of(e.Message.ReplaceLineEndings(" "), most: 300);
            throw new TinyMoEException($"{path} is not valid JSON: {what}; take another copy of the model", e);
        }
        catch (InvalidOperationException e) // half of a surrogate pair, escaped
        {
            throw new TinyMoEException($"{path} is not valid JSON: a text in it is no Unicode; take another copy of the model", e);
        }
    }

    /// <summary>Reads every text once: JSON tells of half a surrogate pair only then. The parser has bounded the depth.</summary>
    private static void RequireUnicode(JsonNode? node)
    {
        switch (node)
        {
            case JsonObject inner:
                foreach ((_, JsonNode? value) in inner)
                    RequireUnicode(value);
                break;
            case JsonArray items:
                foreach (JsonNode? item in items)
                    RequireUnicode(item);
                break;
            case JsonValue value:
                _ = value.TryGetValue(out string? _);
                break;
        }
    }

    /// <summary>All keys, also those whose value is null.</summary>
    public ICollection<string> Names => ((IDictionary<string, JsonNode?>)keys).Keys;

    /// <summary>Whether it has a key, with a value that is not null.</summary>
    public bool Has(string name) => keys[name] is not null;

    /// <summary>The value of a key; null where it is missing or null.</summary>
    public JsonNode? Node(string name)
    {
        read.Add(name);
        return keys[name];
    }

    /// <summary>A whole number that is at least <paramref name="least"/>; the fallback where the key is missing or null.</summary>
    public int Whole(string name, int? fallback = null, int least = 0)
    {
        if (Node(name) is not { } node)
            return fallback ?? throw Missing(name);
        return node is JsonValue value && value.TryGetValue(out double number) && number == Math.Floor(number) && number >= least
            && number <= int.MaxValue ? (int)number : throw Bad(name, $"a whole number, at least {least}");
    }

    /// <summary>A finite number; the fallback where the key is missing or null.</summary>
    public double Number(string name, double? fallback = null)
    {
        if (Node(name) is not { } node)
            return fallback ?? throw Missing(name);
        return node is JsonValue value && value.TryGetValue(out double number) && double.IsFinite(number) && Math.Abs(number) < 1e30
            ? number + 0.0 : throw Bad(name, "a number"); // −0 is 0
    }

    /// <summary>true or false; the fallback where the key is missing or null.</summary>
    public bool Flag(string name, bool? fallback = null)
    {
        if (Node(name) is not { } node)
            return fallback ?? throw Missing(name);
        return node is JsonValue value && value.TryGetValue(out bool flag) ? flag : throw Bad(name, "true or false");
    }

    /// <summary>A text; the fallback where the key is missing or null.</summary>
    public string Text(string name, string? fallback = null)
    {
        if (Node(name) is not { } node)
            return fallback ?? throw Missing(name);
        return node is JsonValue value && value.TryGetValue(out string? text) ? text : throw Bad(name, "a text");
    }

    /// <summary>A list of whole numbers, one number being a list of one; empty where the key is missing or null.</summary>
    public IReadOnlyList<int> Wholes(string name)
    {
        JsonNode? node = Node(name);
        if (node is null)
            return [];
        JsonNode?[] items = node is JsonArray array ? [.. array] : [node];
        List<int> numbers = [];
        foreach (JsonNode? item in items)
        {
            numbers.Add(item is JsonValue value && value.TryGetValue(out int number) && number >= 0
                ? number : throw Bad(name, "a whole number, or a list of them"));
        }

        return numbers;
    }

    /// <summary>A list of texts; empty where the key is missing or null.</summary>
    public IReadOnlyList<string> Texts(string name)
    {
        if (Node(name) is not { } node)
            return [];
        if (node is not JsonArray array)
            throw Bad(name, "a list of texts");
        return [.. array.Select(item => item is JsonValue value && value.TryGetValue(out string? text) ? text
            : throw Bad(name, "a list of texts"))];
    }

    /// <summary>The object that is the value of a key; null where the key is missing or null.</summary>
    public FamilyConfig? Object(string name) => Node(name) switch
    {
        null => null,
        JsonObject inner => new FamilyConfig($"{Path}, {name}", inner),
        _ => throw Bad(name, "an object"),
    };

    /// <summary>The error about a key with a value that cannot be.</summary>
    public TinyMoEException Bad(string name, string needs) => new($"{Path}: {name} needs {needs}, not {Shown(keys[name])}");

    /// <summary>The error about a key with a value that is not supported.</summary>
    public TinyMoEException Refused(string name, string why) => new($"{Path}: {name}={Shown(keys[name])} is not supported: {why}");

    /// <summary>A value as messages quote it.</summary>
    public static string Shown(JsonNode? value) => Excerpt.Of(value switch
    {
        null => "null",
        JsonValue some when some.TryGetValue(out double number) => number.ToString(CultureInfo.InvariantCulture),
        _ => value.ToJsonString(),
    });

    private TinyMoEException Missing(string name) => new($"{Path} has no {name}, which this family needs");
}
