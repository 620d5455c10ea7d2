using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace TinyMoE.Configuration;

/// <summary>
/// Configurations as JSON: <c>{"model": {"width": 128, ...}, "attention": {...}, "moe": {...}, "train": {...}, "data": {...}}</c>.
/// </summary>
public static class ConfigJson
{
    /// <summary>snake_case keys, kebab-case values of enums.</summary>
    internal static JsonSerializerOptions Options { get; } = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.KebabCaseLower, allowIntegerValues: false) },
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
    };

    /// <summary>A configuration as indented JSON, with every key.</summary>
    public static string Write(RunConfig config) => JsonSerializer.Serialize(config, Options);

    /// <summary>
    /// A configuration from JSON; keys that it lacks keep the values of <paramref name="defaults"/> (null: of the default preset).
    /// </summary>
    /// <exception cref="TinyMoEException">It is no JSON, names an unknown key twice or at all, or a value is of the wrong kind.</exception>
    public static RunConfig Read(string json, RunConfig? defaults = null)
    {
        if (Parse(json) is not JsonObject groups)
            throw new TinyMoEException("a configuration is a JSON object, like {\"model\": {\"width\": 128}}");
        List<ConfigChange> changes = [];
        foreach ((string group, JsonNode? keys) in groups)
        {
            if (!ConfigKeys.Groups.Contains(group))
                throw ConfigKeys.Unknown(group);
            if (keys is not JsonObject)
                throw new TinyMoEException($"{group} needs an object, like {{\"model\": {{\"width\": 128}}}}");
            foreach ((string name, JsonNode? value) in keys.AsObject())
            {
                string written = $"{group}.{name}";
                ConfigKey key = ConfigKeys.Find(written);
                if (changes.FirstOrDefault(change => change.Key == key) is { } earlier)
                    throw new TinyMoEException($"{earlier.Written} and {written} are the same key; keep {key.Path}");
                changes.Add(new ConfigChange(key, written, ReadValue(key, value)));
            }
        }

        return ConfigKeys.Apply(defaults ?? Presets.Get(Presets.Default), changes);
    }

    /// <summary>A configuration from a JSON file; see <see cref="Read"/>. Errors name the file.</summary>
    public static RunConfig Load(string path)
    {
        if (!File.Exists(path))
            throw new TinyMoEException($"{path}: there is no such file");
        try
        {
            return Read(File.ReadAllText(path));
        }
        catch (TinyMoEException e)
        {
            throw new TinyMoEException($"{path}: {e.Message}", e);
        }
    }

    private static JsonNode ReadValue(ConfigKey key, JsonNode? value)
    {
        try
        {
            return key.Read(value);
        }
        catch (InvalidOperationException e)
        {
            throw new TinyMoEException($"{key.Path} has half of a surrogate pair, which is no character", e);
        }
    }

    private static JsonNode? Parse(string json)
    {
        try
        {
            return JsonNode.Parse(json, documentOptions: new JsonDocumentOptions
            {
                CommentHandling = JsonCommentHandling.Skip,
                AllowTrailingCommas = true,
                AllowDuplicateProperties = false,
            });
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) // the latter: half a surrogate pair, escaped
        {
            throw new TinyMoEException($"not valid JSON: {e.Message.ReplaceLineEndings(" ")}", e);
        }
    }
}
