using System.Text;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Tests.Files;
using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.Data;

public sealed class TextSourceTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Read_CharText_HasNoMarkAndPlainLineEnds()
    {
        string first = folder.Write("1.txt", "\uFEFFone\r\ntwo\rthree"), second = folder.Write("2.txt", "four\r\n");

        Assert.Equal("one\ntwo\rthree\nfour\n", ReadText([first, second]));
    }

    [Fact]
    public void Read_ForBytes_ChangesNothing()
    {
        byte[] content = [0xEF, 0xBB, 0xBF, (byte)'\r', (byte)'\n', 0xFF];
        string path = folder.Write("a.bin", content);

        Assert.Equal([.. content, .. content], Read([path, folder.Write("b.bin", content)], TokenizerKind.Byte));
    }

    [Fact]
    public void Read_NotUtf8_NamesFileAndByteAndTheByteTokenizer()
    {
        string path = folder.Write("latin.txt", [(byte)'a', 0xC3, 0xA9, 0xE9, (byte)'b']);

        string message = OneLine.Of(() => ReadText([path]));

        Assert.Contains($"{path} is not UTF-8 text at byte 3", message);
        Assert.Contains("--tokenizer byte", message);
    }

    [Fact]
    public void Read_Folder_TakesAllFilesInOrdinalOrderButHiddenAndEmptyOnes()
    {
        foreach (string name in new[] { "b.txt", "a/z.md", "a/deep/y", "B.txt", ".hidden", ".git/config" })
            folder.Write(name, name + ";");
        folder.Write("empty", "");

        Assert.Equal("B.txt;\na/deep/y;\na/z.md;\nb.txt;\n", ReadText([folder.Root]));
    }

    [Fact]
    public void Read_FolderWithALinkToItself_Ends()
    {
        folder.Write("a.txt", "text");
        Directory.CreateSymbolicLink(folder["loop"], folder.Root);

        Assert.Equal("text\n", ReadText([folder.Root]));
    }

    [Theory]
    [InlineData("*.md", "1.md")]
    [InlineData("**/*.md", "1.md a/2.md a/b/3.md")]
    [InlineData("a/**", "a/2.md a/b/3.md a/b/x1.txt")]
    [InlineData("a/*/x?.txt", "a/b/x1.txt")]
    [InlineData("**/b/*", "a/b/3.md a/b/x1.txt")]
    [InlineData("*/b/3.*", "a/b/3.md")]
    public void Files_Glob_MatchesNameByName(string pattern, string expected)
    {
        foreach (string name in new[] { "1.md", "a/2.md", "a/b/3.md", "a/b/x1.txt", "x.txt" })
            folder.Write(name, "text");

        Assert.Equal(expected, string.Join(' ', FileSearch.Files(folder[pattern], new TextNotes()).Select(file => Path.GetRelativePath(folder.Root, file))));
    }

    [Fact]
    public void Read_AFileNamedTwice_CountsOnce()
    {
        string path = folder.Write("a.txt", "text");

        Assert.Equal("text\n", ReadText([path, folder["*.txt"], folder.Root]));
    }

    [Fact]
    public void Read_WhatIsNotThere_SaysWhatToDo()
    {
        string empty = folder.Write("empty/none.txt", ""), file = folder.Write("file", "text");
        Directory.CreateDirectory(folder["bare"]);

        Assert.Contains("name a file", OneLine.Of(() => ReadText([])));
        Assert.Contains("There is no file or folder", OneLine.Of(() => ReadText([folder["missing.txt"]])));
        Assert.Contains("There is no file or folder", OneLine.Of(() => ReadText([Path.Combine(file, "below")])));
        Assert.Contains($"{empty} is empty", OneLine.Of(() => ReadText([empty])));
        Assert.Contains("is empty", OneLine.Of(() => ReadText([folder.Write("mark.txt", "\uFEFF")])));
        Assert.Contains("All files of", OneLine.Of(() => ReadText([folder["empty"]])));
        Assert.Contains("holds no files", OneLine.Of(() => ReadText([folder["bare"]])));
        Assert.Contains("No file matches", OneLine.Of(() => ReadText([folder["*.md"]])));
        Assert.Contains("There is no folder", OneLine.Of(() => ReadText([folder["nowhere/*.md"]])));
    }

    [Fact]
    public void Read_AFileThatCannotBeRead_IsAClearError()
    {
        if (!File.Exists("/proc/self/mem"))
            return; // only Linux has a file that nobody can read from its start
        Assert.StartsWith("Cannot read /proc/self/mem: ", OneLine.Of(() => Read(["/proc/self/mem"], TokenizerKind.Byte)));
    }

    private static string ReadText(string[] sources) => Encoding.UTF8.GetString(Read(sources, TokenizerKind.Char));

    private static byte[] Read(string[] sources, TokenizerKind kind)
    {
        using LabelledText text = new();
        TextSource.Read(sources, LabelKind.Source, TokenizerType.Of(kind).Cleaning, text);
        return text.Text.Bytes.ToArray();
    }
}
