using System.Text.Json.Nodes;
using TinyMoE.Configuration;

namespace TinyMoE.Families.Config;

/// <summary>
/// One key of a family's <c>config.json</c>, or a few that belong together, and the keys of ours that say the same. Rules are read in the
/// order of a family's table.
/// </summary>
/// <param name="Names">The keys, the usual one first.</param>
/// <param name="Meaning">What they are here, for the table of the documentation.</param>
internal sealed record ConfigRule(IReadOnlyList<string> Names, string Meaning)
{
    /// <summary>Reads them into our keys.</summary>
    public required Action<FamilyConfig, OurKeys> Read { get; init; }

    /// <summary>Writes them; null: they are only read.</summary>
    public Action<OurKeys, JsonObject>? Write { get; init; }

    /// <summary>
    /// The key means what ours means. Missing, it is <paramref name="fallback"/>; without one the model cannot be read. null as a value is
    /// a missing key.
    /// </summary>
    public static ConfigRule Same(string name, string ours, JsonNode? fallback = null, string? synonym = null) =>
        new(synonym is null ? [name] : [name, synonym], $"`{ours}`")
        {
            Read = (file, keys) =>
            {
                string written = synonym is not null && !file.Has(name) && file.Has(synonym) ? synonym : name;
                if (synonym is not null)
                    _ = (file.Node(name), file.Node(synonym));
                keys[ours] = ValueOf(file, written, ConfigKeys.Find(ours), fallback);
            },
            Write = (keys, file) => file[name] = keys[ours].DeepClone(),
        };

    /// <summary>The key must have one value, which is also what a missing one means; written too.</summary>
    public static ConfigRule Only(string name, JsonNode value, string meaning) => new([name], meaning)
    {
        Read = (file, _) =>
        {
            if (file.Node(name) is { } given && !JsonNode.DeepEquals(given, value))
                throw file.Refused(name, $"only {FamilyConfig.Shown(value)} is");
        },
        Write = (_, file) => file[name] = value.DeepClone(),
    };

    /// <summary>The key must have the value that changes nothing, or be missing; not written.</summary>
    public static ConfigRule Neutral(string name, params JsonNode?[] values) =>
        new([name], $"only {string.Join(" or ", values.Select(value => $"`{FamilyConfig.Shown(value)}`"))}")
        {
            Read = (file, _) =>
            {
                if (file.Node(name) is { } given && !values.Any(value => JsonNode.DeepEquals(given, value)))
                    throw file.Refused(name, $"only {string.Join(" or ", values.Select(FamilyConfig.Shown))} is");
            },
        };

    /// <summary>A value of a kind that our key has.</summary>
    private static JsonNode ValueOf(FamilyConfig file, string name, ConfigKey key, JsonNode? fallback)
    {
        if (!file.Has(name) && fallback is not null)
        {
            _ = file.Node(name);
            return fallback.DeepClone();
        }

        Type type = key.Property.PropertyType;
        if (type == typeof(bool))
            return file.Flag(name);
        return type == typeof(float) ? JsonValue.Create((float)file.Number(name)) : file.Whole(name);
    }
}

/// <summary>Values of our keys by their paths, as <c>model.width</c>.</summary>
internal sealed class OurKeys
{
    private readonly JsonObject tree;

    private OurKeys(JsonObject tree) => this.tree = tree;

    /// <summary>The value of a key.</summary>
    public JsonNode this[string path]
    {
        get => tree[ConfigKeys.Find(path).Group]![ConfigKeys.Find(path).Name]!;
        set => tree[ConfigKeys.Find(path).Group]![ConfigKeys.Find(path).Name] = value;
    }

    /// <summary>All keys of a configuration.</summary>
    public static OurKeys Of(RunConfig config) => new(ConfigKeys.Tree(config));

    /// <summary>The configuration that they are.</summary>
    public RunConfig ToConfig() => ConfigKeys.FromTree(tree);

    /// <summary>The window of a layer.</summary>
    public int Window(int layer) => this["attention.window"] switch
    {
        JsonArray list => list[layer % list.Count]!.GetValue<int>(),
        JsonNode one => one.GetValue<int>(),
    };

    public int Whole(string path) => this[path].GetValue<int>();

    public float Number(string path) => this[path].GetValue<float>();

    public bool Flag(string path) => this[path].GetValue<bool>();

    public string Text(string path) => this[path].GetValue<string>();
}
