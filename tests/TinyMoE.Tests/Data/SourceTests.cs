using TinyMoE.Data;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Data;

public sealed class SourceTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("poems=poems/*.txt", "poems", "poems/*.txt")]
    [InlineData("a=b=c.txt", "a", "b=c.txt")]
    [InlineData("docs=sdk-docs", "docs", "sdk-docs")]
    [InlineData("all=*.txt", "all", "*.txt")]
    [InlineData("=a.txt", null, "=a.txt")]
    [InlineData("a=", null, "a=")]
    [InlineData("./a=b.txt", null, "./a=b.txt")]
    [InlineData("texts/a=b.txt", null, "texts/a=b.txt")]
    [InlineData("*=b.txt", null, "*=b.txt")]
    [InlineData("plain.txt", null, "plain.txt")]
    public void Parse_NameAndPath_AreApart(string entry, string? name, string path) =>
        Assert.Equal(new Source(path, name), Source.Parse(entry));

    [Fact]
    public void Parse_WhatExists_IsAPath()
    {
        string here = Environment.CurrentDirectory, name = $"tinymoe=test-{Guid.NewGuid():N}";
        string nested = Path.Combine(here, name);
        Directory.CreateDirectory(nested);
        try
        {
            Assert.Equal(new Source(name, null), Source.Parse(name));
            Assert.Equal(new Source($"{name}/*.txt", null), Source.Parse($"{name}/*.txt"));
            Assert.Equal("tinymoe", Source.Parse($"{name}x/*.txt").GivenName);
        }
        finally
        {
            Directory.Delete(nested);
        }
    }

    [Theory]
    [InlineData("given=a.b.txt", "given")]
    [InlineData("sdk-docs", "sdk-docs")]
    [InlineData("missing/poems/*.txt", "poems")]
    [InlineData("missing/docs/**/*.md", "docs")]
    [InlineData("*.md", "*.md")]
    [InlineData("./*.md", "./*.md")]
    [InlineData("/", "/")]
    public void Name_OfGlobsAndNamedSources_SaysMost(string entry, string name) => Assert.Equal(name, Source.Parse(entry).Name);

    [Fact]
    public void Name_OfFilesAndFolders_IsTheirLastName()
    {
        folder.Write("v1.2/a.b.txt", "text");
        folder.Write(".notes", "text");

        Assert.Equal("v1.2", Source.Parse(folder["v1.2"]).Name);
        Assert.Equal("v1.2", Source.Parse(folder["v1.2/"]).Name);
        Assert.Equal("a.b", Source.Parse(folder["v1.2/a.b.txt"]).Name);
        Assert.Equal(".notes", Source.Parse(folder[".notes"]).Name);
    }
}
