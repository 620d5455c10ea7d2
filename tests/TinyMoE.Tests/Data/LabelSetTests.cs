using TinyMoE.Data;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Data;

public sealed class LabelSetTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Find_ByName_GivesItsPlaceOrListsTheKnown()
    {
        LabelSet labels = new(["poems", "prose"]);

        Assert.Equal((0, 1, -1), (labels.IndexOf("poems"), labels.Find("prose"), labels.IndexOf("Poems")));
        Assert.Equal("There is no label 'peoms'; did you mean 'poems'?; known: poems, prose.", OneLine.Of(() => labels.Find("peoms")));
        Assert.Throws<ArgumentException>(() => new LabelSet([]));
        Assert.Throws<ArgumentException>(() => new LabelSet(["a", "a"]));
    }

    [Fact]
    public void Load_WhatSaveWrote_GivesTheSame()
    {
        string[] names = ["poems", "prose, \"old\"", "日本"];

        new LabelSet(names).Save(folder["labels.json"]);

        Assert.Equal(names, LabelSet.Load(folder["labels.json"]));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{}")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("[1]")]
    [InlineData("[null]")]
    [InlineData("[\"a\", \"a\"]")]
    public void Load_AnythingElse_IsAClearError(string content)
    {
        string path = folder.Write("labels.json", content);

        Assert.StartsWith($"{path} does not hold labels", OneLine.Of(() => LabelSet.Load(path)));
    }
}
