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

        IReadOnlyList<string> files = FileSearch.Files(folder[pattern], new TextNotes());
        Assert.Equal(expected, string.Join(' ', files.Select(file => Path.GetRelativePath(folder.Root, file))));
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

    [Fact]
    public void Read_AFileReachedThroughLinks_CountsOnce()
    {
        string path = folder.Write("a/1.txt", "text");
        File.CreateSymbolicLink(folder["a/2.txt"], path);
        Directory.CreateSymbolicLink(folder["b"], folder["a"]);

        Assert.Equal("text\n", ReadText([folder["a"], folder["b"], folder["b/1.txt"], folder["a/../b/*.txt"], "x=" + folder["a/2.txt"]]));
    }

    [Fact]
    public void Read_WhatIsNoRegularFile_IsRefusedByName_AndNeverOpened()
    {
        if (!OperatingSystem.IsLinux())
            return;
        folder.Write("d/1.txt", "text");
        Shell.Run(folder["d"], "mkfifo pipe");

        foreach (string source in (string[])[folder["d/pipe"], folder["d"], folder["d/p*"], folder["**/pipe"]])
            Assert.StartsWith($"{folder["d/pipe"]} is not a regular file but a pipe", OneLine.Of(() => ReadText([source])));

        Assert.Contains("is not a regular file", OneLine.Of(() => ReadRecords(folder["d/pipe"])));

        Assert.StartsWith("/dev/zero is not a regular file but a device", OneLine.Of(() => Read(["/dev/zero"], TokenizerKind.Byte)));
        Assert.Equal("text\n", ReadText([folder["d/*.txt"]]));

        static void ReadRecords(string source)
        {
            using LabelledText text = new();
            TextSource.Read([source], LabelKind.Record, TextCleaning.Lines, text);
        }
    }

    [Fact]
    public void Read_LinesThatEndInReturnsAlone_AreLines_WithANoteThatNamesTheFiles()
    {
        string first = folder.Write("1.txt", "one\rtwo\r"), second = folder.Write("2.txt", "\uFEFFthree\rfour");
        using LabelledText text = new();

        string stray = folder.Write("3.txt", "five\rsix\n"), usual = folder.Write("4.txt", "seven\r\n");
        TextSource.Read([first, second, stray, usual], LabelKind.Source, TextCleaning.Lines, text);

        Assert.Equal("one\ntwo\nthree\nfour\nfive\rsix\nseven\n", Encoding.UTF8.GetString(text.Text.Bytes));
        Assert.Equal(2, text.Notes.Lines.Count);
        Assert.StartsWith($"{first}, {second}: lines end in CR", text.Notes.Lines[0], StringComparison.Ordinal);
        Assert.StartsWith($"{stray}: CR (\\r) inside of lines", text.Notes.Lines[1], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("caf\u00e9", 4)]
    [InlineData("one\n\u20ac", 5)]
    [InlineData("one\n\u20ac", 6)]
    [InlineData("\ud83d\ude00\ud83d\ude00", 7)]
    public void Read_AFileCutInsideItsLastCharacter_LeavesThePieceOut_WithANote(string whole, int length)
    {
        string path = folder.Write("a.txt", Encoding.UTF8.GetBytes(whole)[..length]);
        using LabelledText text = new();

        TextSource.Read([path], LabelKind.Source, TextCleaning.Lines, text);

        string expected = Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(whole)[..length]).TrimEnd('\uFFFD').TrimEnd('\n') + "\n";
        Assert.Equal(expected, Encoding.UTF8.GetString(text.Text.Bytes));
        Assert.StartsWith($"{path}: ends inside a character", Assert.Single(text.Notes.Lines), StringComparison.Ordinal);
        Assert.Equal(length, Read([path], TokenizerKind.Byte).Length);
    }

    [Fact]
    public void Read_WideText_IsRefusedWithWhatToDo_ButForBytes()
    {
        string path = folder.Write("w.txt", Encoding.Unicode.GetBytes("some text\n"));
        string marked = folder.Write("m.txt", [0xFE, 0xFF, .. Encoding.BigEndianUnicode.GetBytes("some text\n")]);

        Assert.StartsWith($"{path} is not UTF-8 text but looks like UTF-16LE: convert it (iconv", OneLine.Of(() => ReadText([path])));
        Assert.StartsWith($"{marked} is not UTF-8 text but looks like UTF-16: convert it (iconv", OneLine.Of(() => ReadText([marked])));
        Assert.Equal(20, Read([path], TokenizerKind.Byte).Length);
    }

    [Fact]
    public void Read_Cancelled_EndsAtTheNextFile()
    {
        folder.Write("1.txt", "one");
        using LabelledText text = new();
        using CancellationTokenSource stop = new();
        stop.Cancel();

        foreach (string source in (string[])[folder["1.txt"], folder.Root, folder["*"]])
        {
            Assert.Throws<OperationCanceledException>(
                () => TextSource.Read([source], LabelKind.Source, TextCleaning.Lines, text, stop.Token));
        }

        DataConfig data = new() { Sources = [folder.Root] };
        Assert.Throws<OperationCanceledException>(() => Corpus.Load(data, stop: stop.Token));
        Assert.Throws<OperationCanceledException>(() => Corpus.Load(new DataConfig(), stop: stop.Token)); // the built-in text
        Assert.Equal(0, text.Text.Length);
    }

    [Fact]
    public void Encode_UnknownCharacter_IsToldByFileLineAndColumn()
    {
        folder.Write("d/1.txt", "ab\nab\n");
        string second = folder.Write("d/2.txt", "\uFEFFab\r\nb\u00e9\U0001F600ab?\n");
        string third = folder.Write("d/3.txt", "?");
        CharTokenizer tokenizer = CharTokenizer.Of("ab\n\u00e9\U0001F600"u8);

        Assert.StartsWith($"{second}, line 2, column 6: the character '?' (U+003F) is not among the 5", Message(folder["d"]));
        Assert.StartsWith($"{third}, line 1, column 1: the character '?'", Message(third));
        Assert.StartsWith($"{third}, line 1, column 2: the character U+202E is", Message(folder.Write("d/3.txt", "a\u202Eb")));
        File.Delete(second);
        Assert.StartsWith($"{third}, line 1, column 2: ", Message(folder["d"]));

        string Message(string source) => OneLine.Of(() => Corpus.Load(new DataConfig { Sources = [source] }, tokenizer));
    }

    private static string ReadText(string[] sources) => Encoding.UTF8.GetString(Read(sources, TokenizerKind.Char));

    private static byte[] Read(string[] sources, TokenizerKind kind)
    {
        using LabelledText text = new();
        TextSource.Read(sources, LabelKind.Source, TokenizerType.Of(kind).Cleaning, text);
        return text.Text.Bytes.ToArray();
    }
}
