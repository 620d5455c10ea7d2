using TinyMoE.Configuration;

namespace TinyMoE.Tests.Cli;

public sealed class HelpTests
{
    private const string OfDevice = "--device --threads --tensor-cores --grouped --graph";

    [Theory]
    [InlineData("")]
    [InlineData("--help")]
    [InlineData("-h")]
    public void Run_NoCommand_ShowsTheCommandsAndExamples(string argument)
    {
        CommandLine result = CommandLine.Run(argument.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        string[] all = ["train ", "eval ", "generate ", "info ", "doctor ", "Examples:", "tinymoe generate --run runs/mixtral-tiny"];
        foreach (string expected in all)
            Assert.Contains(expected, result.Output);
    }

    [Theory]
    [InlineData(
        "train",
        "--preset --config --set --data --tokenizer --steps --stop-at --seed --out --init --resume --keep-schedule --overwrite --profile "
        + $"{OfDevice} --json")]
    [InlineData("eval", $"--run --model --data --labels --windows --context --ablate --force --routing {OfDevice} --json")]
    [InlineData("ablate", $"--run --model --data --labels --windows --context {OfDevice} --json")]
    [InlineData(
        "generate",
        "--run --model --prompt --ids --tokens --temperature --top-k --top-p --min-p --repetition-penalty --stop --label --seed "
        + $"{OfDevice} --json")]
    [InlineData(
        "chat",
        $"--run --model --template --system --tokens --temperature --top-k --top-p --min-p --repetition-penalty --stop --seed {OfDevice}")]
    [InlineData(
        "serve",
        $"--run --model --port --listen --token --allow-origin --allow-host --slots --name --template {OfDevice}")]
    [InlineData("report", $"--run --out --title --ablate-windows {OfDevice}")]
    [InlineData("doctor", "--cold --tune --json")]
    [InlineData("info", "--run --model --preset --config --set --json")]
    [InlineData("score", $"--run --model --text --file --ids --logits --ablate --force --json {OfDevice}")]
    [InlineData("import", "--model --out")]
    [InlineData("upcycle", "--run --model --out --set --method --drop-ratio --partition --shared --layers --noise --scale --seed --data "
        + $"--windows {OfDevice} --json")]
    [InlineData("export", "--run --model --format --out --dtype --family --shard")]
    [InlineData(
        "tokenizer train",
        "--data --vocabulary --style --special --min-frequency --limit-alphabet --out --overwrite --threads --json")]
    [InlineData("tokenizer show", "--tokenizer --text --file --json")]
    public void Help_Command_ShowsExactlyItsOptionsAndExamples(string command, string options)
    {
        CommandLine result = CommandLine.Run([.. command.Split(' '), "--help"]);
        Assert.Equal((0, ""), (result.ExitCode, result.Error));
        string[] lines = result.Output.ReplaceLineEndings("\n").Split('\n');
        IEnumerable<string> shown = lines.Where(line => line.StartsWith("  --", StringComparison.Ordinal));
        Assert.Equal(options.Split(' '), shown.Select(line => line.Trim().Split(' ')[0]));
        Assert.Contains(lines, line => line.StartsWith($"  tinymoe {command}", StringComparison.Ordinal));
        Assert.All(lines, line => Assert.InRange(line.Length, 0, 120));
    }

    [Fact]
    public void Commands_AreAllInTheHelp()
    {
        // A command is a file in Commands and a line in Cli: whoever forgets the line is told here.
        string[] lines = CommandLine.Run("--help").Output.ReplaceLineEndings("\n").Split('\n');
        string[] names =
        [
            .. typeof(TinyMoE.Cli.Cli).Assembly.GetTypes()
                .Where(type => type.Namespace == "TinyMoE.Cli.Commands" && type.Name.EndsWith("Command", StringComparison.Ordinal))
                .Select(type => type.Name[..^"Command".Length].ToLowerInvariant()),
        ];
        Assert.NotEmpty(names);
        Assert.All(names, name => Assert.Contains(lines, line => line.StartsWith($"  {name} ", StringComparison.Ordinal)));
    }

    [Fact]
    public void Help_Train_ListsThePresets()
    {
        string output = CommandLine.Run("train", "--help").Output;
        Assert.All(Presets.All, preset => Assert.Contains($"{preset.Name}: ", output));
    }

    [Fact]
    public void Version_IsPrinted()
    {
        CommandLine result = CommandLine.Run("--version");
        Assert.Equal(0, result.ExitCode);
        Assert.NotEqual("", result.Output.Trim());
    }
}
