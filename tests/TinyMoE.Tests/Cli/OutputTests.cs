using System.Text.Json.Nodes;
using TinyMoE.Cli.Output;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Cli;

/// <summary>An output that cannot be written, or that text from anywhere comes to.</summary>
public sealed class OutputTests : IDisposable
{
    private const int DiskFull = 28, ReaderGone = 32;

    private static readonly string Text = string.Concat(Enumerable.Range(0, 300).Select(i => $"the cat sat on mat {i % 10}.\n"));

    private static readonly string[] Small =
    [
        "--set", "model.width=16", "model.layers=1", "attention.heads=2", "attention.kv_heads=1", "model.context=8", "moe.experts=4",
        "moe.hidden=16", "train.batch=2", "train.eval_every=2", "train.eval_windows=2", "train.warmup=2", "--threads", "1",
    ];

    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(DiskFull, false)]
    [InlineData(DiskFull, true)]
    [InlineData(ReaderGone, false)]
    [InlineData(ReaderGone, true)]
    [InlineData(null, false)]
    public void Train_OutputThatFails_GoesOnAndSaves_AndSaysSoUnlessTheReaderIsGone(int? failure, bool json)
    {
        (int exitCode, string error) = Run(failure, Train("run", json ? ["--json"] : []));
        Assert.True(File.Exists(folder["run/last/state.json"]));
        string reason = failure is null ? "it is closed" : "the disk is full";
        string expected = failure == ReaderGone
            ? ""
            : $"tinymoe: the output could not be written: {reason}; the run is saved in {folder["run"]}{Environment.NewLine}";
        Assert.Equal((failure == ReaderGone ? 0 : 1, expected), (exitCode, error));

        CommandLine whole = CommandLine.Run(Train("whole"));
        Assert.Equal(0, whole.ExitCode);
        Assert.Equal(File.ReadAllBytes(folder["whole/last/model.safetensors"]), File.ReadAllBytes(folder["run/last/model.safetensors"]));
    }

    [Fact]
    public void Train_ErrorOutputThatFails_ChangesNothing()
    {
        using FailingWriter error = new(DiskFull);
        using StringWriter output = new();
        Assert.Equal(0, TinyMoE.Cli.Cli.Run(Train("run"), output, error));
        Assert.Equal(1, TinyMoE.Cli.Cli.Run(Train("run"), output, error)); // the folder holds a run, which nobody can be told
    }

    [Theory]
    [InlineData("generate --tokens 100000000")]
    [InlineData("eval")]
    [InlineData("eval --json")]
    [InlineData("info")]
    public void Command_OutputThatFails_EndsAtOnce_QuietlyIfTheReaderIsGone(string line)
    {
        Assert.Equal(0, CommandLine.Run(Train("run")).ExitCode);
        string[] args = [.. line.Split(' '), "--run", folder["run"]];
        Assert.Equal((0, ""), Run(ReaderGone, args));
        Assert.Equal((1, $"tinymoe: the output could not be written: the disk is full{Environment.NewLine}"), Run(DiskFull, args));
        Assert.Equal((1, $"tinymoe: the output could not be written: it is closed{Environment.NewLine}"), Run(null, args));
    }

    [Theory]
    [InlineData("--help")]
    [InlineData("--version")]
    [InlineData("train --help")]
    public void Command_WithoutARun_OutputThatFails_EndsAtOnce(string line)
    {
        Assert.Equal(0, Run(ReaderGone, line.Split(' ')).ExitCode);
        Assert.Equal(1, Run(DiskFull, line.Split(' ')).ExitCode);
        Assert.Equal(1, Run(null, line.Split(' ')).ExitCode);
    }

    [Fact]
    public void Guard_AfterTheFirstFailure_WritesNothingMore()
    {
        using FailingWriter inner = new(DiskFull);
        using GuardedWriter guard = new(inner) { GoesOn = true };
        guard.WriteLine("one");
        guard.WriteLine("two");
        guard.Flush();
        Assert.Equal(1, inner.Tries);
        Assert.Equal(("the output could not be written: the disk is full", false), (guard.Failure!.Message, guard.Failure.ReaderGone));
    }

    [Fact]
    public void Text_FromAnywhere_StaysText()
    {
        using StringWriter plain = new();
        using CleanWriter clean = new(new GuardedWriter(plain));
        clean.Write("a\u001b[31mb\tc\nd\u007f\u0085\u009b\u202e\u2066é");
        clean.Write("\r");
        clean.Write("\nf\r");
        clean.Write('g');
        Assert.Equal("a\ufffd[31mb\tc\nd\ufffd\ufffd\ufffd\ufffd\ufffdé\r\nf\ufffdg", plain.ToString());
    }

    [Fact]
    public void Tables_OfTextFromAnywhere_AreCleanedToo()
    {
        using StringWriter output = new();
        Spectre.Console.IAnsiConsole console = Consoles.For(output);
        Spectre.Console.AnsiConsoleExtensions.WriteLine(console, "a\u001b]0;title\u0007b");
        console.Write(new Spectre.Console.Text("\u001b(0name\u202e"));
        Assert.Contains("a\ufffd]0;title\ufffdb", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("\ufffd(0name\ufffd", output.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain(output.ToString().ReplaceLineEndings(""), Printable.Steers);
    }

    [Fact]
    public void Errors_ThatRepeatText_AreOneCleanLine()
    {
        string[][] lines = [["info", "--run", "no\u001b[31m\nfolder"], ["info", "--set", "mo\u009bdel\u202e\r\n=1"], ["\u001b\n"]];
        foreach (string[] args in lines)
        {
            CommandLine result = CommandLine.Run(args);
            Assert.NotEqual(0, result.ExitCode);
            Assert.Equal(result.ExitCode, result.ErrorLines.Length); // wrong usage says where the help is
            Assert.DoesNotContain(result.Error.ReplaceLineEndings(""), Printable.Steers);
        }
    }

    [Fact]
    public void Labels_ThatTurnTheDirection_AreCleanInTables_AndExactInJson()
    {
        const string Label = "a\u202eb";
        folder.Write("r.jsonl", string.Concat(Enumerable.Range(0, 90).Select(i => new JsonObject
        {
            ["text"] = "the cat sat on the mat",
            ["label"] = i % 2 == 0 ? Label : "dogs",
        }.ToJsonString() + "\n")));
        string[] args = ["train", "--data", folder["r.jsonl"], "--out", folder["run"], "--steps", "2", .. Small, "--set",
            "data.labels=record", "train.eval_windows=0", "moe.router=task", "moe.active=1", "moe.renormalize=false"];
        CommandLine train = CommandLine.Run(args);
        Assert.Equal((0, ""), (train.ExitCode, train.Error));
        Assert.Contains(@"--label $'a\342\200\256b'", train.Output, StringComparison.Ordinal);

        CommandLine eval = CommandLine.Run("eval", "--run", folder["run"]);
        Assert.Contains("a\ufffdb", eval.Output, StringComparison.Ordinal);
        CommandLine json = CommandLine.Run("eval", "--run", folder["run"], "--json");
        Assert.All([train.Output, eval.Output, json.Output], text => Assert.DoesNotContain(text.ReplaceLineEndings(""), Printable.Steers));
        JsonArray domains = JsonNode.Parse(json.Output.Split('\n')[1])!["domains"]!.AsArray();
        Assert.Contains(domains, domain => domain!["label"]!.GetValue<string>() == Label);
    }

    private static (int ExitCode, string Error) Run(int? failure, params string[] args)
    {
        using FailingWriter? output = failure is { } number ? new(number) : null;
        using StringWriter error = new();
        return (TinyMoE.Cli.Cli.Run(args, output, error), error.ToString());
    }

    private string[] Train(string run, params string[] more) =>
        ["train", "--data", folder.Write("text.txt", Text), "--out", folder[run], "--steps", "4", .. Small, .. more];

    /// <summary>An output that the system refuses with an error number.</summary>
    private sealed class FailingWriter(int number) : StringWriter
    {
        public int Tries { get; private set; }

        public override void Write(string? value)
        {
            Tries++;
            throw new IOException("No, the system says.", number);
        }

        public override void Flush() => throw new IOException("No, the system says.", number);
    }
}
