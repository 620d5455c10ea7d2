using TinyMoE.Data;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Data;

public sealed class FileSearchTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("")]
    [InlineData("**/*")]
    [InlineData("*/**")]
    public void Files_RunsAmongTheText_AreLeftOutWithANote(string glob)
    {
        folder.Write("text/1.txt", "text");
        WriteCheckpoint("runs/a/last");
        folder.Write("runs/b/metrics.jsonl", "{\"kind\":\"train\",\"step\":1}\n");
        folder.Write("runs/b/stray.txt", "text");
        folder.Write("runs/c/run.lock", "1234");
        WriteCheckpoint("kept");
        folder.Write("mine/config.json", "{}");
        TextNotes notes = new();

        Assert.Equal([folder["mine/config.json"], folder["text/1.txt"]], FileSearch.Files(Path.Combine(folder.Root, glob), notes));

        string note = Assert.Single(notes.Lines);
        Assert.Equal($"{folder["kept"]}, {folder["runs/a"]}, {folder["runs/b"]} and 1 more: left out, a run of tinymoe is no text", note);
    }

    [Fact]
    public void Files_ARunThatHoldsNothingThatMatches_IsNoNote()
    {
        folder.Write("1.txt", "text");
        WriteCheckpoint("run/last");
        TextNotes notes = new();

        Assert.Single(FileSearch.Files(folder["**/*.txt"], notes));
        Assert.Empty(notes.Lines);
    }

    [Fact]
    public void Files_ARunByName_IsRefused()
    {
        WriteCheckpoint("run/best");

        string message = $"The folder {folder["run"]} is a run of tinymoe, which is no text: name the text itself.";
        Assert.Equal(message, OneLine.Of(() => Files("run")));
        Assert.StartsWith($"The folder {folder["run/best"]} is a run", OneLine.Of(() => Files("run/best")), StringComparison.Ordinal);
        Assert.Contains($"but those of {folder["run/best"]}", OneLine.Of(() => Files("run/**/*.json")), StringComparison.Ordinal);
        Assert.Contains("but those of", OneLine.Of(() => Files("run/best/*.json")), StringComparison.Ordinal);
        Assert.Equal([folder["run/best/state.json"]], Files("run/best/state.json")); // a file by its name is what is wanted
    }

    [Fact]
    public void Files_TextInTheFolderOfItsRun_IsFound_BeforeAndAfterTheRunBegins()
    {
        string text = folder.Write("1.txt", "text");
        folder.Write("run.lock", "1234");
        Assert.Equal([text], Files(""));

        WriteCheckpoint("best");
        WriteCheckpoint("last.new");
        folder.Write("metrics.jsonl", "{\"kind\":\"train\",\"step\":1}\n");
        Assert.Equal([text], Files(""));
        Assert.Equal([text], Files("**/*"));
        Assert.Equal([text], Files("*.txt"));
    }

    [Fact]
    public void Files_ANameThatIsNotUtf8_IsRefusedWithItsBytes()
    {
        if (!OperatingSystem.IsLinux())
            return;
        folder.Write("1.txt", "text");
        Shell.Run(folder.Root, "mkdir \"$(printf 'd\\377')\"; : > \"$(printf 'd\\377/x.md')\"; : > \"$(printf 'caf\\351.txt')\"");
        try
        {
            foreach (string source in (string[])["*.txt", "caf\uFFFD.txt"])
                Assert.Equal($"The name of {folder["caf\\xE9.txt"]} is not UTF-8: rename it.", OneLine.Of(() => Files(source)));
            foreach (string source in (string[])["**/*.md", "d\uFFFD/*.md", "d\uFFFD"])
                Assert.Contains("d\\xFF", OneLine.Of(() => Files(source)), StringComparison.Ordinal);
            Assert.Equal([folder["1.txt"]], Files("1*"));
        }
        finally
        {
            Shell.Run(folder.Root, "rm -r d* caf*"); // .NET cannot
        }
    }

    private IReadOnlyList<string> Files(string source) => FileSearch.Files(Path.Combine(folder.Root, source), new TextNotes());

    private void WriteCheckpoint(string name)
    {
        foreach (string file in (string[])["config.json", "model.safetensors", "state.json"])
            folder.Write($"{name}/{file}", "{}");
    }
}
