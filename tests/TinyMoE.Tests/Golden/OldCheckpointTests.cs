using System.Text.Json;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Generate;
using TinyMoE.Models;
using TinyMoE.Tests.Cli;
using TinyMoE.Tests.Files;
using TinyMoE.Tests.Train;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.Tests.Golden;

/// <summary>Checkpoints of older versions (tests/golden/checkpoints): they load, predict, write and train on as they did.</summary>
public sealed class OldCheckpointTests : IDisposable
{
    /// <summary>Vectors of another width add up in another order, which moves these losses by 1e-7.</summary>
    private const double Tolerance = 1e-6, ToleranceOfTraining = 1e-5;

    private static readonly string[] FirstVersion = ["deepseek-v0", "mixtral-v0", "switch-head-v0", "task-v0"];

    private static readonly string Kept = Path.Combine(FloorsTests.RepositoryRoot(), "tests", "golden", "checkpoints");

    private readonly TemporaryFolder folder = new();

    /// <summary>Every checkpoint that is kept.</summary>
    public static TheoryData<string> Names => [.. AllKept()];

    [Theory]
    [MemberData(nameof(Names))]
    public void Checkpoint_Evaluated_HasItsLoss(string name)
    {
        (string checkpoint, JsonElement expected) = Open(name);
        RunConfig config = Checkpoints.Config(checkpoint);
        Assert.DoesNotContain(ConfigNotes.Of(config), note => note.Contains("is now", StringComparison.Ordinal)); // nobody wrote its keys
        DataConfig data = config.Data with { Sources = Sources(expected) };
        Corpus corpus = Corpus.Load(data, Checkpoints.Tokenizer(checkpoint), Checkpoints.Labels(checkpoint));
        using CpuBackend backend = new(threads: 2);
        using Decoder model = Checkpoints.Model(checkpoint, backend);
        int[] windows = [.. Enumerable.Range(0, corpus.ValidationWindows(model.Config.Model.Context))];

        int step = Checkpoints.Step(checkpoint);
        double loss = Evaluation.Run(backend, model, corpus.ForEvaluation(model.Config.Model.Context, windows), step).Report.Loss;

        Assert.Equal(expected.GetProperty("eval").GetProperty("step").GetInt32(), step);
        AssertClose(expected.GetProperty("eval").GetProperty("loss").GetDouble(), loss, Tolerance, "loss of the evaluation");
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Checkpoint_WritingGreedily_WritesItsText(string name)
    {
        (string checkpoint, JsonElement expected) = Open(name);
        JsonElement generate = expected.GetProperty("generate");
        (string prompt, string text) = (generate.GetProperty("prompt").GetString()!, generate.GetProperty("text").GetString()!);
        int? label = generate.GetProperty("label").GetString() is { } named ? Checkpoints.Labels(checkpoint)!.Find(named) : null;
        Tokenizer tokenizer = Checkpoints.Tokenizer(checkpoint);
        using CpuBackend backend = new(threads: 2);
        using Decoder model = Checkpoints.Model(checkpoint, backend);

        Generator generator = new(backend, model) { Label = label };
        TokenDecoder decoder = tokenizer.NewDecoder();
        SamplingOptions greedy = new() { Temperature = 0 };
        IEnumerable<int> ids = generator.Generate(tokenizer.Encode(prompt), text.Length - prompt.Length, greedy);

        Assert.Equal(text, prompt + string.Concat(ids.Select(decoder.Push)) + decoder.Flush());
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Checkpoint_Resumed_TrainsOnAsItDid(string name)
    {
        (string checkpoint, JsonElement expected) = Open(name);
        JsonElement resume = expected.GetProperty("resume");
        string stopAt = resume.GetProperty("stop_at").GetRawText();

        CommandLine trained = CommandLine.Run(
            ["train", "--resume", "--out", folder[name], "--data", .. Sources(expected), "--stop-at", stopAt, "--threads", "2", "--json"]);

        Assert.Equal(0, trained.ExitCode);
        Assert.Equal(stopAt, $"{Checkpoints.Step(checkpoint)}");
        double[] losses = [.. File.ReadLines(Path.Combine(folder[name], "metrics.jsonl"))
            .Select(line => JsonDocument.Parse(line).RootElement)
            .Where(line => line.GetProperty("kind").GetString() == "train")
            .Select(line => line.GetProperty("loss").GetDouble())];
        double[] then = [.. resume.GetProperty("losses").EnumerateArray().Select(loss => loss.GetDouble())];
        Assert.Equal(then.Length, losses.Length);
        for (int i = 0; i < then.Length; i++)
            AssertClose(then[i], losses[i], ToleranceOfTraining, $"loss of step {i + 1} after resuming");
    }

    [Fact]
    public void Checkpoints_OfTheFirstVersion_AreAllThere() =>
        Assert.Equal(FirstVersion, AllKept().Intersect(FirstVersion));

    public void Dispose() => folder.Dispose();

    private static IEnumerable<string> AllKept() => Directory.EnumerateDirectories(Kept).Select(path => Path.GetFileName(path)).Order();

    private static void AssertClose(double expected, double actual, double tolerance, string what) =>
        Assert.True(Math.Abs(expected - actual) <= tolerance * Math.Abs(expected), $"{what}: {actual:R}, and was {expected:R}");

    /// <summary>The entries of data.sources, their files where they are kept.</summary>
    private static string[] Sources(JsonElement expected) =>
        [.. expected.GetProperty("data").EnumerateArray()
            .Select(source => source.GetString()!.Split('='))
            .Select(parts => string.Join('=', (string[])[.. parts[..^1], Path.Combine(Kept, parts[^1])]))];

    /// <summary>A copy of a checkpoint, as the last of a run in <see cref="folder"/>, and what is expected of it.</summary>
    private (string Checkpoint, JsonElement Expected) Open(string name)
    {
        foreach (string file in Directory.EnumerateFiles(Path.Combine(Kept, name, "last")))
            folder.Write(Path.Combine(name, "last", Path.GetFileName(file)), File.ReadAllBytes(file));
        JsonElement expected = JsonDocument.Parse(File.ReadAllText(Path.Combine(Kept, name, "expected.json"))).RootElement;
        return (folder[Path.Combine(name, "last")], expected);
    }
}
