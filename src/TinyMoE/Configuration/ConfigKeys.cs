using System.Reflection;
using System.Text;
using System.Text.Json.Nodes;
using TinyMoE.Files;

namespace TinyMoE.Configuration;

/// <summary>A key that a person set.</summary>
/// <param name="Key">The key.</param>
/// <param name="Written">The name that it was written by, which may be its former one.</param>
/// <param name="Value">Its value, checked by <see cref="ConfigKey.Read(string)"/>.</param>
internal sealed record ConfigChange(ConfigKey Key, string Written, JsonNode Value);

/// <summary>All keys of a configuration, taken from the records by reflection: adding a property adds its key everywhere.</summary>
internal static class ConfigKeys
{
    /// <summary>Every key, in the order of the records.</summary>
    public static IReadOnlyList<ConfigKey> All { get; } =
    [
        .. from PropertyInfo @group in typeof(RunConfig).GetProperties()
           from PropertyInfo property in @group.PropertyType.GetProperties(BindingFlags.Public | BindingFlags.Instance)
           select new ConfigKey(@group, property),
    ];

    /// <summary>The names of the groups.</summary>
    public static IReadOnlyList<string> Groups { get; } = [.. All.Select(key => key.Group).Distinct()];

    /// <summary>The key of that name, or that had it before; an unknown one is an error that names the nearest.</summary>
    public static ConfigKey Find(string path) =>
        All.FirstOrDefault(key => key.Path == path || key.FormerPath == path) ?? throw Unknown(path);

    /// <summary>Throws where two changes name one key, by its name and by its former one: which of them is meant, nobody knows.</summary>
    public static void RequireOneName(IEnumerable<string> written)
    {
        Dictionary<ConfigKey, string> names = [];
        foreach (string name in written)
        {
            ConfigKey key = Find(name);
            if (!names.TryAdd(key, name) && names[key] != name)
                throw new TinyMoEException($"{names[key]} and {name} are the same key; keep {key.Path}");
        }
    }

    /// <summary>The error about a key nobody knows.</summary>
    public static TinyMoEException Unknown(string path)
    {
        path = Excerpt.Of(path);
        string hint = Nearest.Hint(path, Groups.Concat(All.Select(key => key.Path)));
        string group = path.Split('.')[0];
        if (hint.Length == 0)
        {
            hint = Groups.Contains(group)
                ? $"; {group} has {string.Join(", ", All.Where(key => key.Group == group).Select(key => key.Name))}"
                : $"; keys begin with {string.Join(", ", Groups.Select(name => name + "."))} as in model.width";
        }
        return new TinyMoEException($"unknown key '{path}'{hint}");
    }

    /// <summary>A copy of a configuration with some values changed; it remembers which of them were written by a former name.</summary>
    public static RunConfig Apply(RunConfig config, IReadOnlyList<ConfigChange> changes)
    {
        IEnumerable<ConfigKey> former = changes.Where(change => change.Written != change.Key.Path).Select(change => change.Key);
        RunConfig changed = config.Copy() with { WrittenByFormerName = [.. config.WrittenByFormerName.Union(former)] };
        foreach (ConfigChange change in changes)
            change.Key.Set(changed, change.Value);
        return changed;
    }

    /// <summary>The keys whose values differ, with both.</summary>
    public static IEnumerable<(string Key, string Before, string After)> Differences(RunConfig before, RunConfig after)
    {
        JsonObject one = Tree(before), other = Tree(after);
        foreach (ConfigKey key in All)
        {
            (string was, string now) = (one[key.Group]![key.Name]!.ToJsonString(), other[key.Group]![key.Name]!.ToJsonString());
            if (was != now)
                yield return (key.Path, was, now);
        }
    }

    /// <summary>The table of keys in the README: key, what it takes, its default (the default preset's), what it does.</summary>
    public static string MarkdownTable()
    {
        JsonObject defaults = Tree(Presets.Get(Presets.Default));
        Dictionary<string, string> summaries = XmlSummaries.Of(typeof(RunConfig).Assembly);
        StringBuilder table = new("| key | takes | default | what it does |\n|---|---|---|---|\n");
        foreach (ConfigKey key in All)
        {
            JsonNode value = defaults[key.Group]![key.Name]!;
            string standard = value is JsonArray list ? string.Join(",", list) : value.ToString();
            standard = standard.Length > 0 ? standard : "none";
            string summary = summaries.GetValueOrDefault($"P:{key.Property.DeclaringType!.FullName}.{key.Property.Name}", "");
            table.Append($"| `{key.Path}` | {key.Needs} | {standard} | {summary.Replace("|", "\\|", StringComparison.Ordinal)} |\n");
        }
        return table.ToString();
    }

    /// <summary>The configuration with the values of a tree, as <see cref="Tree"/> makes it; what it lacks is as in a new one.</summary>
    internal static RunConfig FromTree(JsonObject tree)
    {
        RunConfig config = new();
        foreach (ConfigKey key in All)
        {
            if (tree[key.Group] is JsonObject group && group.TryGetPropertyValue(key.Name, out JsonNode? value))
                key.Set(config, value);
        }

        return config;
    }

    /// <summary>All keys of a configuration: an object per group.</summary>
    internal static JsonObject Tree(RunConfig config)
    {
        JsonObject tree = [];
        foreach (ConfigKey key in All)
        {
            if (tree[key.Group] is not JsonObject group)
                tree[key.Group] = group = [];
            group[key.Name] = key.Get(config);
        }

        return tree;
    }
}
