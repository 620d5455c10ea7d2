using System.Reflection;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace TinyMoE.Configuration;

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

    /// <summary>The key of that name; an unknown one is an error that names the nearest.</summary>
    public static ConfigKey Find(string path) => All.FirstOrDefault(key => key.Path == path) ?? throw Unknown(path);

    /// <summary>The error about a key nobody knows.</summary>
    public static TinyMoEException Unknown(string path)
    {
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

    /// <summary>A copy of a configuration with some values changed; they were checked by <see cref="ConfigKey.Read(string)"/>.</summary>
    public static RunConfig Apply(RunConfig config, IEnumerable<(ConfigKey Key, JsonNode Value)> changes)
    {
        JsonObject tree = JsonSerializer.SerializeToNode(config, ConfigJson.Options)!.AsObject();
        foreach ((ConfigKey key, JsonNode value) in changes)
            tree[key.Group]![key.Name] = value;
        return tree.Deserialize<RunConfig>(ConfigJson.Options)!;
    }

    /// <summary>The keys whose values differ, with both.</summary>
    public static IEnumerable<(string Key, string Before, string After)> Differences(RunConfig before, RunConfig after)
    {
        JsonObject one = JsonSerializer.SerializeToNode(before, ConfigJson.Options)!.AsObject(), other = JsonSerializer.SerializeToNode(after, ConfigJson.Options)!.AsObject();
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
        JsonObject defaults = JsonSerializer.SerializeToNode(Presets.Get(Presets.Default), ConfigJson.Options)!.AsObject();
        Dictionary<string, string> summaries = XmlSummaries.Of(typeof(RunConfig).Assembly);
        StringBuilder table = new("| key | takes | default | what it does |\n|---|---|---|---|\n");
        foreach (ConfigKey key in All)
        {
            string standard = defaults[key.Group]![key.Name] is JsonArray list ? string.Join(",", list) : defaults[key.Group]![key.Name]!.ToString();
            string summary = summaries.GetValueOrDefault($"P:{key.Property.DeclaringType!.FullName}.{key.Property.Name}", "");
            table.Append($"| `{key.Path}` | {key.Needs} | {standard} | {summary.Replace("|", "\\|", StringComparison.Ordinal)} |\n");
        }
        return table.ToString();
    }
}
