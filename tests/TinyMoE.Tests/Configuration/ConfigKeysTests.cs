using TinyMoE.Configuration;

namespace TinyMoE.Tests.Configuration;

public sealed class ConfigKeysTests
{
    public static TheoryData<string> Paths => [.. ConfigKeys.All.Select(key => key.Path)];

    [Theory]
    [InlineData("model.width", "256")]
    [InlineData("model.feed_forward", "gelu")]
    [InlineData("attention.window", "8,0")]
    [InlineData("attention.output_bias", "true")]
    [InlineData("moe.router", "noisy-top-k")]
    [InlineData("moe.renormalize", "false")]
    [InlineData("train.learning_rate", "3e-4")]
    [InlineData("data.sources", "a.txt, b c.txt")]
    public void With_OneKey_ChangesThatKeyOnly(string path, string value)
    {
        RunConfig before = Presets.Get(Presets.Default), after = before.With(path, value);
        string[] changed = [.. ConfigKeys.All.Select(key => key.Path).Where(other => Text(before, other) != Text(after, other))];
        Assert.Equal([path], changed);
    }

    [Fact]
    public void With_Values_AreParsed()
    {
        RunConfig config = new RunConfig()
            .With("train.learning_rate", "3e-4").With("data.sources", "a.txt, b c.txt").With("moe.router", "noisy-top-k");
        Assert.Equal(3e-4f, config.Train.LearningRate);
        Assert.Equal(["a.txt", "b c.txt"], config.Data.Sources);
        Assert.Equal(RouterKind.NoisyTopK, config.Moe.Router);
    }

    [Theory]
    [InlineData("model.widht", "1", "unknown key 'model.widht'; did you mean 'model.width'?")]
    [InlineData("train.width", "1", "unknown key 'train.width'; did you mean 'model.width'?")]
    [InlineData("model.width", "abc", "model.width needs a whole number, not 'abc'")]
    [InlineData("model.width", "", "model.width needs a whole number, not ''")]
    [InlineData("train.seed", "-1", "train.seed needs a whole number, not '-1'")]
    [InlineData("train.clip", "nan", "train.clip needs a number, not 'nan'")]
    [InlineData("train.clip", "1,5", "train.clip needs a number, not '1,5'")]
    [InlineData("model.biases", "yes", "model.biases needs true or false, not 'yes'")]
    [InlineData("moe.drop", "first", "moe.drop has no 'first'; known: position, probability, random")]
    public void With_WrongKeyOrValue_SaysWhatInstead(string path, string value, string expected) =>
        Assert.Equal(expected, Assert.Throws<TinyMoEException>(() => new RunConfig().With(path, value)).Message);

    [Theory]
    [MemberData(nameof(Paths))]
    public void MarkdownTable_EveryKey_HasARowWithASummary(string path)
    {
        string row = Assert.Single(
            ConfigKeys.MarkdownTable().Split('\n'), line => line.StartsWith($"| `{path}` |", StringComparison.Ordinal));
        string[] cells = [.. row.Split(" | ").Select(cell => cell.Trim('|', ' '))];
        Assert.Equal(4, cells.Length);
        Assert.All(cells, cell => Assert.NotEqual("", cell));
        Assert.EndsWith(".", cells[3]);
    }

    [Theory]
    [MemberData(nameof(Paths))]
    public void Copy_SharesNoGroup_SoThatAChangedKeyLeavesTheOriginal(string path)
    {
        RunConfig original = new(), copy = original.Copy();
        System.Reflection.PropertyInfo group = typeof(RunConfig).GetProperties().Single(
            property => ConfigKey.NameOf(property) == ConfigKeys.Find(path).Group);
        Assert.NotSame(group.GetValue(original), group.GetValue(copy));
        Assert.Equal(original, copy);
    }

    private static string Text(RunConfig config, string path)
    {
        string[] parts = path.Split('.');
        return System.Text.Json.Nodes.JsonNode.Parse(ConfigJson.Write(config))![parts[0]]![parts[1]]!.ToJsonString();
    }
}
