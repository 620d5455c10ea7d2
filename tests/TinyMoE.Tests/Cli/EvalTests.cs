using System.Text.Json.Nodes;
using TinyMoE.App;
using TinyMoE.Tests.App;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Cli;

/// <summary>What <c>eval</c> measures: of the run's own text what was held out, of another all; and texts that are gone.</summary>
public sealed class EvalTests : IDisposable
{
    private static readonly string[] Small =
    [
        "--threads", "2", "--set", "model.width=32", "model.layers=2", "attention.heads=2", "attention.kv_heads=1", "model.context=16",
        "moe.experts=4", "moe.hidden=32", "train.batch=4", "train.eval_windows=8",
    ];

    private readonly TemporaryFolder folder = new();
    private readonly string text;

    public EvalTests() => text = folder.Write("text.txt", Lines(200));

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Eval_OwnText_MeasuresWhatWasHeldOut_HoweverItIsNamed()
    {
        Train(Path.GetRelativePath(Environment.CurrentDirectory, text));

        CommandLine own = Eval();
        Assert.Equal((0, ""), (own.ExitCode, own.Error));
        Assert.StartsWith("model of step 2, the 26 windows held out of its own text: loss ", own.Output, StringComparison.Ordinal);
        Assert.Equal(own.Output, Eval("--data", text).Output);
        JsonNode line = JsonNode.Parse(Eval("--json", "--windows", "5").Output.Split('\n')[0])!;
        Assert.Equal((5, 26, true), ((int)line["windows"]!, (int)line["of"]!, (bool)line["held_out"]!));
        Assert.Equal(text, (string)Assert.Single(line["text"]!.AsArray())!); // absolute, so that it is found from anywhere
    }

    [Fact]
    public void Eval_AnotherText_MeasuresAllOfIt_OrItsFirstWindows()
    {
        Train(text);
        string other = folder.Write("other.txt", Lines(50)), one = folder.Write("one.txt", Lines(1));

        Assert.Contains($"all 65 windows of {other}: loss", Eval("--data", other).Output, StringComparison.Ordinal);
        CommandLine few = Eval("--data", other, "--windows", "3");
        Assert.Contains($"the first 3 of 65 windows of {other}: ", few.Output, StringComparison.Ordinal);
        Assert.Contains($"the one window of {one}: loss", Eval("--data", one).Output, StringComparison.Ordinal);
        JsonNode line = JsonNode.Parse(Eval("--json", "--data", other).Output.Split('\n')[0])!;
        Assert.Equal((65, 65, false), ((int)line["windows"]!, (int)line["of"]!, (bool)line["held_out"]!));
        AssertFails("The text has 4 tokens", Eval("--data", folder.Write("short.txt", "mat")));
    }

    [Theory]
    [InlineData("the cat sat on a mat\n")] // grown
    [InlineData("?!")]                      // with characters that the tokenizer does not know
    [InlineData(null)]                      // shrunk
    public void Eval_OwnTextThatChanged_IsRefused_AndMeasuredWholeOnDemand(string? more)
    {
        Train(text);
        File.WriteAllText(text, more is null ? Lines(150) : Lines(200) + more);

        AssertFails($"{text} is not the text that the run in {folder["run"]} was trained on, it has changed: bring it back", Eval());
        if (more == "?!")
            return;
        string[] lines = Eval("--data", text).Output.Split('\n');
        Assert.StartsWith($"note: {text}: the run was trained on text from there", lines[0], StringComparison.Ordinal);
        Assert.Contains($" windows of {text}: loss", lines[1], StringComparison.Ordinal);
    }

    [Fact]
    public void Eval_OwnTextThatIsGone_SaysWhereItWas()
    {
        Train(text);
        File.Move(text, folder["moved.txt"]);

        AssertFails($"There is no {text}, the text of the run in {folder["run"]}: bring it back, or measure another by --data", Eval());
        Assert.Contains("held out of its own text", Eval("--data", folder["moved.txt"]).Output, StringComparison.Ordinal);
        File.WriteAllText(text, "");
        AssertFails("is empty", Eval());
    }

    [Fact]
    public void TrainAndEval_NotesOnTheText_AreTold()
    {
        folder.Write("d/1.txt", Lines(200).Replace('\n', '\r'));
        folder.Write("d/old/metrics.jsonl", "{\"kind\":\"train\",\"step\":1}\n");
        CommandLine train = Train(folder["d"]);

        foreach (string note in (string[])[$"note: {folder["d/1.txt"]}: lines end in CR", $"note: {folder["d/old"]}: left out"])
        {
            Assert.Contains(note, train.Output, StringComparison.Ordinal);
            Assert.Contains(note, Eval().Output, StringComparison.Ordinal);
        }

        string[] kept = [.. File.ReadLines(folder["run/metrics.jsonl"]).Where(line => line.StartsWith("{\"kind\":\"note\""))];
        Assert.Equal(2, kept.Count(line => line.Contains(folder["d"], StringComparison.Ordinal)));
    }

    [Fact]
    public void TrainAndEval_CancelledWhileTheTextIsRead_EndThere()
    {
        Train(text);
        using CancellationTokenSource stop = new();
        stop.Cancel();

        Assert.Throws<OperationCanceledException>(() => Evaluating.Run(new EvaluationRequest(folder["run"]), stop.Token));
        TrainingRequest request = Training.Prepare(new ConfigChoice { Sources = [text], Preset = "nano" }, folder["new"]);
        Assert.Throws<OperationCanceledException>(() => Training.Run(request, new RunRecorder(), stop.Token));
        Assert.False(Directory.Exists(folder["new"]));
    }

    [Fact]
    public void Generate_ThatEndsInsideACharacter_LeavesItsBytesOut()
    {
        string euros = folder.Write("euros.txt", string.Concat(Enumerable.Repeat("€", 2000)));
        CommandLine train = CommandLine.Run(
            ["train", "--data", euros, "--tokenizer", "byte", "--out", folder["run"], "--steps", "100", .. Small, "train.warmup=5"]);
        Assert.Equal((0, ""), (train.ExitCode, train.Error));

        string[] generate = ["generate", "--run", folder["run"], "--prompt", "€€", "--temperature", "0", "--tokens"];
        Assert.Equal("€€€", CommandLine.Run([.. generate, "3"]).Output.TrimEnd());
        Assert.Equal("€€€", CommandLine.Run([.. generate, "5"]).Output.TrimEnd());
        Assert.Equal("€€", CommandLine.Run([.. generate, "1"]).Output.TrimEnd());
    }

    private static string Lines(int count) => string.Concat(Enumerable.Range(0, count).Select(i => $"the cat sat on mat {i % 10}\n"));

    private static void AssertFails(string message, CommandLine result)
    {
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(message, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
        Assert.DoesNotContain("this is a bug", result.Error, StringComparison.Ordinal);
    }

    private CommandLine Train(string data)
    {
        CommandLine train = CommandLine.Run(["train", "--data", data, "--out", folder["run"], "--steps", "2", .. Small]);
        Assert.Equal((0, ""), (train.ExitCode, train.Error));
        return train;
    }

    private CommandLine Eval(params string[] more) => CommandLine.Run(["eval", "--run", folder["run"], "--threads", "2", .. more]);
}
