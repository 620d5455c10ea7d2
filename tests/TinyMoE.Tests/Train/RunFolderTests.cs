using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Tests.Files;
using TinyMoE.Train;

namespace TinyMoE.Tests.Train;

/// <summary>A training writes into an empty folder or into a run's, deletes only what it wrote, and shares its folder with none.</summary>
public sealed class RunFolderTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly CpuBackend backend = new(2);
    private readonly RecordingListener listener = new();

    private RunFolder Run => new(folder["a"]);

    public void Dispose()
    {
        backend.Dispose();
        folder.Dispose();
    }

    [Theory]
    [InlineData("a/best/thesis.txt")]
    [InlineData("a/last/photo.jpg")]
    [InlineData("a/best")]
    [InlineData("a/metrics.jsonl")]
    [InlineData("a/best/config.json")]
    [InlineData("a/notes.md")]
    [InlineData("a/run.lock")]
    public void NewRun_WhereSomethingElseIs_IsRefused_AndLeavesItAlone(string name)
    {
        folder.Write(name, "mine");
        foreach (bool overwrite in (bool[])[false, true])
        {
            string error = OneLine.Of(() => New(overwrite: overwrite));
            Assert.Contains($"holds {name.Split('/')[1]}, which no run has written", error);
            Assert.Equal("mine", File.ReadAllText(folder[name]));
        }

        Assert.Single(Directory.GetFileSystemEntries(folder["a"]));
    }

    [Fact]
    public void NewRun_WhereAPipeHasTheNameOfTheMetrics_IsRefused_AndLeavesIt()
    {
        if (OperatingSystem.IsWindows())
            return;
        Directory.CreateDirectory(folder["a"]);
        Shell.Run(folder["a"], "mkfifo metrics.jsonl");
        Assert.Contains("holds metrics.jsonl, which no run has written", OneLine.Of(() => New(overwrite: true)));
        Assert.Single(Directory.GetFileSystemEntries(folder["a"]));
    }

    [Fact]
    public void NewRun_InAnEmptyFolder_OrBesideHiddenFiles_Trains()
    {
        folder.Write("a/.gitignore", "*");
        using Trainer trainer = New();
        Assert.Equal(2, trainer.Run(stopAt: 2).Step);
    }

    [Fact]
    public void Overwrite_TakesTheRunsPlace_AndKeepsWhatIsNotTheRuns()
    {
        Train(stopAt: 20);
        folder.Write("a/best/thesis.txt", "mine");
        folder.Write("a/notes.md", "mine");
        Assert.Contains("holds a run already", OneLine.Of(() => New()));

        using (Trainer trainer = New(overwrite: true))
            trainer.Run(stopAt: 12);

        Assert.Equal((12, 10), (Checkpoints.Step(Run.Last), Checkpoints.Step(Run.Best)));
        Assert.Equal(("mine", "mine"), (File.ReadAllText(folder["a/best/thesis.txt"]), File.ReadAllText(folder["a/notes.md"])));
        Assert.Equal(12, File.ReadLines(Run.Metrics).Count(line => line.Contains("\"kind\":\"train\"", StringComparison.Ordinal)));
    }

    [Fact]
    public void Resume_WithFilesOfSomebodyElseInIt_KeepsThem()
    {
        Train(stopAt: 5);
        folder.Write("a/last/thesis.txt", "mine");
        folder.Write("a/best.old/config.json", "mine");
        Train(stopAt: 20, resume: true);
        Assert.Equal(("mine", "mine"), (File.ReadAllText(folder["a/last/thesis.txt"]), File.ReadAllText(folder["a/best.old/config.json"])));
        Assert.Equal(20, Checkpoints.Step(Run.Last));
        Assert.Empty(CheckpointDamage.Find(Run.Last));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Resume_WhereOnlyBestIsLeft_OrBestIsNewer_GoesOnFromIt_ToTheSameBits(bool lastIsOlder)
    {
        Train(stopAt: 30);
        byte[] whole = File.ReadAllBytes(folder["a/last/model.safetensors"]);
        string[] metrics = Metrics();
        Run.Remove();

        Train(stopAt: 4);
        Directory.Move(Run.Last, folder["older"]);
        Train(stopAt: 10, resume: false, overwrite: true);
        Directory.Delete(Run.Last, recursive: true);
        if (lastIsOlder)
            Directory.Move(folder["older"], Run.Last);
        Assert.Contains("holds a run already", OneLine.Of(() => New()));

        Train(stopAt: 30, resume: true);
        Assert.Equal(11, listener.Steps[^20].Step);
        Assert.Equal(whole, File.ReadAllBytes(folder["a/last/model.safetensors"]));
        Assert.Equal(metrics, Metrics());
    }

    [Theory]
    [InlineData("{\"kind\":\"note\",\"step\":0,\"text\":\"x\"}\n{\"kind\":\"train\",\"st", true)]
    [InlineData("", true)]
    [InlineData("{\"kind\":\"train\",\"step\":1}\n{\"kind\":\"eval\",\"step\":1}\n", false)]
    [InlineData("{\"kind\":\"train\",\"step\":1}\n{\"kind\":\"memory\",\"step\":1}\n", false)]
    public void NewRun_WhereOnlyMetricsAreLeft_OverwritesThoseOfARunThatNeverSaved(string metrics, bool isOverwritten)
    {
        folder.Write("a/metrics.jsonl", metrics);
        folder.Write("a/run.lock", "process 1 on x since then\n");
        if (!isOverwritten)
        {
            Assert.Contains("holds a run already", OneLine.Of(() => New()));
            Assert.Equal(metrics, File.ReadAllText(Run.Metrics));
        }

        Train(stopAt: 2, overwrite: !isOverwritten);
        Assert.Equal(2, File.ReadLines(Run.Metrics).Count(line => line.Contains("\"kind\":\"train\"", StringComparison.Ordinal)));
    }

    [Fact]
    public void Folder_InUse_IsRefusedToAnother_WhichChangesNothing()
    {
        using Trainer first = New();
        foreach (bool resume in (bool[])[true, false])
            Assert.Contains($"{Run.Root} is in use by process {Environment.ProcessId}", OneLine.Of(() => New(resume)));
        first.Run(stopAt: 3);
        Assert.Contains("in use by", OneLine.Of(() => New(resume: true)));
        Assert.Equal(3, Checkpoints.Step(Run.Last));
    }

    [Fact]
    public void Training_ThatCannotBegin_LeavesNoFolder()
    {
        Corpus corpus = TestModels.Corpus();
        RunConfig config = (TestModels.Tiny with { Model = TestModels.Tiny.Model with { Context = 1_000_000 } }).For(corpus);
        OneLine.Of(() => new Trainer(backend, config, corpus, new RunFolder(folder["x/y"]), listener).Dispose());
        Assert.Empty(Directory.GetFileSystemEntries(folder.Root));
    }

    private Trainer New(bool resume = false, bool overwrite = false)
    {
        Corpus corpus = TestModels.Corpus();
        return new Trainer(backend, TestModels.Tiny.For(corpus), corpus, Run, listener, resume, overwrite: overwrite);
    }

    private void Train(int stopAt, bool resume = false, bool overwrite = false)
    {
        using Trainer trainer = New(resume, overwrite);
        trainer.Run(stopAt);
    }

    private string[] Metrics() => [.. File.ReadLines(Run.Metrics)
        .Where(line => !line.Contains("\"kind\":\"memory\"", StringComparison.Ordinal))
        .Select(line => System.Text.RegularExpressions.Regex.Replace(line, "\"tokens_per_second\":[0-9.eE+-]+", ""))];
}
