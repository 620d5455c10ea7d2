using System.Text.Json;
using System.Text.Json.Nodes;
using TinyMoE.Configuration;

namespace TinyMoE.Examples;

/// <summary>
/// What a study compares, read from its <c>config.json</c>: seeds, what all runs have in common, and the keys that each variant changes.
/// </summary>
/// <param name="Seeds">One run of each variant per seed.</param>
/// <param name="Variants">Name and configuration of each variant.</param>
public sealed record StudyConfig(IReadOnlyList<ulong> Seeds, IReadOnlyList<(string Name, RunConfig Config)> Variants)
{
    /// <summary>
    /// Reads <c>{"preset": "mixtral-tiny", "seeds": [1, 2, 3], "common": {"train.steps": 600},
    /// "variants": {"name": {"moe.router": "switch"}}}</c>.
    /// </summary>
    /// <exception cref="TinyMoEException">The file is no such JSON, or a key or value is wrong.</exception>
    public static StudyConfig Load(string path)
    {
        try
        {
            JsonObject root = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
            RunConfig common = Apply(Presets.Get(root["preset"]?.GetValue<string>() ?? Presets.Default), root["common"]);
            return new StudyConfig(
                [.. root["seeds"]!.AsArray().Select(seed => seed!.GetValue<ulong>())],
                [.. root["variants"]!.AsObject().Select(variant => (variant.Key, Apply(common, variant.Value)))]);
        }
        catch (Exception e) when (e is JsonException or NullReferenceException or InvalidOperationException or IOException)
        {
            throw new TinyMoEException(
                $"{path} is not a study: it needs seeds and variants, as in examples/studies/routers/config.json ({e.Message})", e);
        }
    }

    private static RunConfig Apply(RunConfig config, JsonNode? changes)
    {
        foreach ((string key, JsonNode? value) in changes?.AsObject() ?? [])
            config = config.With(key, value!.ToString());
        return config;
    }
}
