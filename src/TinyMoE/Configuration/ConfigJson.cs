using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using TinyMoE.Files;

namespace TinyMoE.Configuration;

/// <summary>
/// Configurations as JSON: <c>{"model": {"width": 128, ...}, "attention": {...}, "moe": {...}, "train": {...}, "data": {...}}</c>.
/// </summary>
public static class ConfigJson
{
    private const int LargestFile = 1 << 22; // bytes: room for the paths of very many texts

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>How it is written.</summary>
    internal static JsonSerializerOptions Options { get; } = new()
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        WriteIndented = true,
    };

    /// <summary>A configuration as indented JSON, with every key.</summary>
    public static string Write(RunConfig config) => ConfigKeys.Tree(config).ToJsonString(Options);

    /// <summary>
    /// A configuration from JSON; keys that it lacks keep the values of <paramref name="defaults"/> (null: of the default preset).
    /// </summary>
    /// <exception cref="TinyMoEException">It is no JSON, names an unknown key twice or at all, or a value is of the wrong kind.</exception>
    public static RunConfig Read(string json, RunConfig? defaults = null)
    {
        try
        {
            return ConfigKeys.Apply(defaults ?? Presets.Get(Presets.Default), Changes(Parse(json)));
        }
        catch (InvalidOperationException e) // the library's way to say that a text has half a surrogate pair, escaped
        {
            throw new TinyMoEException("a name or a text is no Unicode: it has half of a surrogate pair, as in \\ud800", e);
        }
    }

    /// <summary>A configuration from a JSON file; see <see cref="Read"/>. Errors name the file.</summary>
    public static RunConfig Load(string path)
    {
        if (!File.Exists(path))
            throw new TinyMoEException($"{path}: there is no such file");
        try
        {
            return Read(ReadText(path));
        }
        catch (TinyMoEException e)
        {
            throw new TinyMoEException($"{path}: {e.Message}", e);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot read {path}: {FileProblem.Reason(e)}.", e);
        }
    }

    private static string ReadText(string path)
    {
        using FileStream file = File.OpenRead(path);
        byte[] bytes = new byte[4096];
        int length = 0;
        for (int read; (read = file.Read(bytes.AsSpan(length))) > 0;)
        {
            length += read;
            if (length > LargestFile)
                throw new TinyMoEException($"it has more than {LargestFile} bytes, which no configuration has; is it another file?");
            if (length == bytes.Length)
                Array.Resize(ref bytes, 2 * length);
        }

        try
        {
            using StreamReader text = new(new MemoryStream(bytes, 0, length), StrictUtf8);
            return text.ReadToEnd();
        }
        catch (DecoderFallbackException e)
        {
            throw new TinyMoEException("not valid JSON: it is not UTF-8", e);
        }
    }

    private static List<ConfigChange> Changes(JsonNode? root)
    {
        if (root is not JsonObject groups)
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
                ConfigKeys.RequireOneName([.. changes.Select(change => change.Written), written]);
                changes.Add(new ConfigChange(key, written, key.Read(value)));
            }
        }

        return changes;
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
        catch (JsonException e)
        {
            throw new TinyMoEException($"not valid JSON: {Excerpt.Of(e.Message.ReplaceLineEndings(" "), most: 300)}", e);
        }
    }
}
