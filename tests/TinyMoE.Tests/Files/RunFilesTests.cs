using TinyMoE.Files;

namespace TinyMoE.Tests.Files;

public sealed class RunFilesTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("config.json model.safetensors state.json", true)]
    [InlineData("config.json model.safetensors", false)]
    [InlineData("config.json tokenizer.json model.safetensors", false)] // of another program
    [InlineData("", false)]
    public void IsCheckpoint_Folder_HasWhatNoOtherHas(string names, bool expected)
    {
        foreach (string name in names.Split(' ', StringSplitOptions.RemoveEmptyEntries))
            folder.Write("c/" + name, "{}");

        Assert.Equal(expected, RunFiles.IsCheckpoint(folder["c"]));
        Assert.False(RunFiles.IsRun(folder["c"]));
        folder.Write("run/last/a", "a");
        if (expected)
            Directory.Move(folder["c"], folder["run/best"]);
        Assert.Equal(expected, RunFiles.IsRun(folder["run"]));
    }

    [Theory]
    [InlineData("{\"kind\":\"train\",\"step\":1,\"loss\":3}\n{\"ki", true)]
    [InlineData("{\"kind\":\"note\",\"step\":0,\"text\":\"x\"}", true)]
    [InlineData("{\"kind\":\"tr", true)]
    [InlineData("[\"kind\",\"step\"]\n", false)]
    [InlineData("kind, step\n", false)]
    [InlineData("", false)]
    public void IsRun_Metrics_AreOursByTheirFirstLine(string metrics, bool expected)
    {
        folder.Write("run/metrics.jsonl", metrics);
        folder.Write("run/notes.txt", "mine");

        Assert.Equal(expected, RunFiles.IsRun(folder["run"]));
    }

    [Fact]
    public void IsRun_OneThatHasJustBegun_HoldsItsLockAndNothingElse()
    {
        folder.Write("run/run.lock", "");
        folder.Write("run/metrics.jsonl", "");
        Assert.True(RunFiles.IsRun(folder["run"]));

        folder.Write("run/text.txt", "mine");
        Assert.False(RunFiles.IsRun(folder["run"]));
        Assert.True(RunFiles.Owns(folder["run"], "run.lock"));
        Assert.False(RunFiles.Owns(folder["run"], "metrics.jsonl"));
        Assert.False(RunFiles.Owns(folder["run"], "text.txt"));
    }

    [Fact]
    public void Owns_NamesOfARun_AndNoOthers()
    {
        folder.Write("run/metrics.jsonl", "{\"kind\":\"train\",\"step\":1}\n");

        foreach (string name in (string[])["best", "last", "metrics.jsonl", "run.lock"])
            Assert.True(RunFiles.Owns(folder["run"], name), name);
        foreach (string name in (string[])["bestiary", "last.txt", "best.old", "config.json"])
            Assert.False(RunFiles.Owns(folder["run"], name), name);
    }
}
