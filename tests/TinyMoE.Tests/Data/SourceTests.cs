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

    [Theory]
    [InlineData("poems.txt", "HERE/poems.txt")]
    [InlineData("./sub/../poems.txt", "HERE/poems.txt")]
    [InlineData("poems=poems/*.txt", "poems=HERE/poems/*.txt")]
    [InlineData("poems/", "HERE/poems/")]
    [InlineData("**/*.md", "HERE/**/*.md")]
    [InlineData("=a.txt", "HERE/=a.txt")]
    [InlineData("/data/a=b/x.txt", "/data/a=b/x.txt")]
    [InlineData("sdk-docs", "sdk-docs")]
    [InlineData("docs=sdk-docs", "docs=sdk-docs")]
    [InlineData("a\0b", "a\0b")]
    [InlineData(" ", " ")]
    public void Absolute_Path_IsResolvedFromHere_AndNamesStay(string entry, string expected)
    {
        if (OperatingSystem.IsWindows())
            return; // paths have another form there
        string absolute = Source.Absolute(entry);

        Assert.Equal(expected.Replace("HERE", Environment.CurrentDirectory, StringComparison.Ordinal), absolute);
        Assert.Equal(absolute, Source.Absolute(absolute));
        if (entry is not ("**/*.md" or " "))
            Assert.Equal(Source.Parse(entry).Name, Source.Parse(absolute).Name);
    }

    [Fact]
    public void Absolute_WhatExistsWithAnEqualsSign_StaysAPath()
    {
        string name = $"tinymoe=test-{Guid.NewGuid():N}.txt";
        File.WriteAllText(name, "text");
        try
        {
            Assert.Equal(Path.GetFullPath(name), Source.Absolute(name));
            Assert.Equal(Path.GetFileNameWithoutExtension(name), Source.Parse(Source.Absolute(name)).Name);
        }
        finally
        {
            File.Delete(name);
        }
    }

    [Fact]
    public void Name_OfAGlobBelowAFolderWithAWildcardInItsName_IsThatFolders()
    {
        if (OperatingSystem.IsWindows())
            return; // no such names there
        folder.Write("a*b/1.txt", "one");
        folder.Write("axb/2.txt", "two");

        Assert.Equal("a*b", Source.Parse(folder["a*b/*.txt"]).Name);
        Assert.Equal("a*b", Source.Parse(folder["a*b"]).Name);
        Assert.Equal([folder["a*b/1.txt"]], FileSearch.Files(folder["a*b/*.txt"], new TextNotes()));
    }
}
