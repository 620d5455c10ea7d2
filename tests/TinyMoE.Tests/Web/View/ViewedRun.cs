using TinyMoE.App;
using TinyMoE.Tests.Cli;
using TinyMoE.Tests.Files;
using TinyMoE.Web;
using TinyMoE.Web.View;

namespace TinyMoE.Tests.Web.View;

/// <summary>Pages of a run of six steps on characters, and of one that only a test writes.</summary>
public sealed class ViewedRun : IDisposable
{
    public const string Live = "live", Trained = "trained";

    public ViewedRun()
    {
        string data = Folder.Write("text.txt", string.Concat(Enumerable.Repeat($"the cat sat: {ServedRun.Letters}\n", 90)));
        CommandLine result = CommandLine.Run(
            "train", "--data", data, "--out", Run, "--steps", "6", "--threads", "1", "--set", "model.width=32", "model.layers=2",
            "model.context=64", "moe.hidden=16", "train.batch=2", "train.eval_windows=2", "train.eval_every=2", "train.warmup=1");
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        Write(1);
        Server = ViewServer.Start(Options, new ServerOptions { Port = 0, OnError = Errors.Add });
    }

    internal TemporaryFolder Folder { get; } = new();

    public string Run => Folder[Trained];

    public ViewOptions Options => new() { Runs = [Run, Folder[Live]], Device = new DeviceChoice(Threads: 1) };

    public ViewServer Server { get; }

    /// <summary>What the server could tell nobody.</summary>
    public List<string> Errors { get; } = [];

    /// <summary>Adds a step to the run that a test writes, as a training does.</summary>
    internal void Write(int step)
    {
        Directory.CreateDirectory(Folder[Live]);
        System.IO.File.AppendAllText(
            Path.Combine(Folder[Live], "metrics.jsonl"),
            $"{{\"kind\":\"train\",\"step\":{step},\"loss\":3.5,\"learning_rate\":0.001,\"gradient_norm\":1,\"tokens_per_second\":900}}\n");
    }

    public void Dispose()
    {
        Server.Dispose();
        Folder.Dispose();
    }
}

/// <summary>Tests that share one server of pages.</summary>
[CollectionDefinition(Name)]
public sealed class ViewCollection : ICollectionFixture<ViewedRun>, ICollectionFixture<Browser>
{
    public const string Name = "view";
}
