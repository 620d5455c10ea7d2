using System.Text.Json.Nodes;
using TinyMoE.Configuration;
using TinyMoE.Tests.Golden;

namespace TinyMoE.Tests.Configuration;

/// <summary>Keys that moved go on working by the names they had, and a note says what they are called now.</summary>
public sealed class FormerKeyTests
{
    private static readonly (string Former, string Now)[] Moved =
    [
        ("model.heads", "attention.heads"), ("model.kv_heads", "attention.kv_heads"),
        ("model.window", "attention.window"), ("model.rope_theta", "attention.rope_theta"),
    ];

    public static TheoryData<string> PresetNames => [.. Presets.All.Select(preset => preset.Name)];

    [Fact]
    public void All_KeysThatMoved_AreThese_AndTheirFormerNamesAreFree()
    {
        Assert.Equal(Moved, ConfigKeys.All.Where(key => key.FormerPath is not null).Select(key => (key.FormerPath!, key.Path)));
        Assert.Empty(ConfigKeys.All.Select(key => key.Path).Intersect(Moved.Select(key => key.Former)));
    }

    [Theory]
    [MemberData(nameof(PresetNames))]
    public void Read_FileOfBefore_GivesTheSameConfiguration(string preset)
    {
        RunConfig config = Presets.Get(preset).With("attention.window", "24").With("attention.rope_theta", "5000");
        RunConfig old = ConfigJson.Read(AsBefore(config), new RunConfig());
        Assert.Equal(config, old);
        Assert.Equal(ConfigJson.Write(config), ConfigJson.Write(old));
        Assert.Equal(config, ConfigJson.Read(ConfigJson.Write(old), new RunConfig()));
        IReadOnlyList<string> notes = ConfigNotes.Of(ConfigJson.Read(ConfigJson.Write(old)));
        Assert.DoesNotContain(notes, note => note.Contains(" is now ", StringComparison.Ordinal));
        Assert.Equal(string.Join(", ", Moved.Select(key => $"{key.Former} is now {key.Now}")), ConfigNotes.Of(old)[^1]);
    }

    [Theory]
    [InlineData("model.heads", "attention.heads", "2")]
    [InlineData("model.kv_heads", "attention.kv_heads", "1")]
    [InlineData("model.window", "attention.window", "16")]
    [InlineData("model.rope_theta", "attention.rope_theta", "1e6")]
    public void With_FormerName_IsTheKeyOfToday(string former, string now, string value)
    {
        RunConfig start = Presets.Get(Presets.Default), before = start.With(former, value), after = start.With(now, value);
        Assert.Equal(after, before);
        Assert.NotEqual(start, before);
        Assert.Equal([$"{former} is now {now}"], ConfigNotes.Of(before.With("model.width", "64").With(former, value).WithVocabulary(9)));
        Assert.Empty(ConfigNotes.Of(after));
        string message = Assert.Throws<TinyMoEException>(() => start.With(former, "many")).Message;
        Assert.StartsWith($"{now} needs", message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("mixtral", "attention.heads=4 attention.kv_heads=2")]
    [InlineData("mixtral_plain", "attention.heads=3 attention.kv_heads=1 attention.window=4")]
    [InlineData("nano", "attention.heads=4 attention.kv_heads=0")]
    public void Read_GoldenOfBefore_IsUnderstood(string golden, string expected)
    {
        RunConfig config = ConfigJson.Read(GoldenFile.Load(golden).Config, new RunConfig());
        foreach (string[] change in expected.Split(' ').Select(change => change.Split('=')))
            Assert.Equal(config.With(change[0], change[1]), config);
        Assert.Contains("model.heads is now attention.heads", ConfigNotes.Of(config)[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void Equals_AnyKeyThatDiffers_IsSeen()
    {
        RunConfig config = Presets.Get(Presets.Default);
        Assert.Equal(config, ConfigJson.Read(ConfigJson.Write(config)));
        Assert.Equal(config.GetHashCode(), ConfigJson.Read(ConfigJson.Write(config)).GetHashCode());
        string[] changes =
            ["model.width=64", "attention.window=8,0", "moe.active=1", "train.seed=9", "data.sources=a,b", "data.validation=0.2"];
        foreach (string change in changes)
            Assert.NotEqual(config, config.With(change.Split('=')[0], change.Split('=')[1]));
    }

    [Theory]
    [InlineData("4", 4, 4, 4)]
    [InlineData("128, 0", 128, 0, 128)]
    [InlineData("1,2,3", 1, 2, 3)]
    public void PerLayer_RepeatsOverTheLayers(string text, params int[] layers)
    {
        RunConfig config = new RunConfig().With("attention.window", text);
        Assert.Equal(layers, Enumerable.Range(0, layers.Length).Select(layer => config.Attention.Window[layer]));
        Assert.Equal(config, ConfigJson.Read(ConfigJson.Write(config), new RunConfig()));
        Assert.Equal(text.Replace(" ", "", StringComparison.Ordinal), config.Attention.Window.ToString());
    }

    /// <summary>A configuration as it was written before attention had keys of its own besides its experts.</summary>
    private static string AsBefore(RunConfig config)
    {
        JsonObject tree = JsonNode.Parse(ConfigJson.Write(config))!.AsObject(), attention = tree["attention"]!.AsObject();
        foreach ((string former, string now) in Moved)
            tree["model"]![former.Split('.')[1]] = attention[now.Split('.')[1]]!.DeepClone();
        foreach (string key in attention.Select(pair => pair.Key).Except(["kind", "experts", "active", "gate_dropout"]).ToArray())
            attention.Remove(key);
        return tree.ToJsonString();
    }
}
