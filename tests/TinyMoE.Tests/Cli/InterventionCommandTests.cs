using System.Text.Json.Nodes;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Cli;

/// <summary><c>ablate</c>, and --ablate and --force of the commands that measure.</summary>
public sealed class InterventionCommandTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public InterventionCommandTests()
    {
        string cats = folder.Write("a.txt", string.Concat(Enumerable.Range(0, 150).Select(i => $"the cat sat on mat {i % 10}.\n")));
        string dogs = folder.Write("b.txt", string.Concat(Enumerable.Range(0, 90).Select(i => $"{i % 10} dogs ran at a man.\n")));
        CommandLine train = CommandLine.Run(
            "train", "--data", "cats=" + cats, "dogs=" + dogs, "--out", folder["run"], "--steps", "12", "--threads", "2", "--set",
            "model.width=32", "model.layers=2", "attention.heads=2", "attention.kv_heads=1", "model.context=16", "moe.experts=4",
            "moe.hidden=32", "train.batch=4", "train.warmup=2", "train.learning_rate=0.01", "data.validation=0.2");
        Assert.Equal((0, ""), (train.ExitCode, train.Error));
    }

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Ablate_EveryExpert_IsWhatEvalSaysWithoutIt()
    {
        JsonNode[] map = Json("ablate");
        Assert.Equal("whole", (string)map[0]["kind"]!);
        Assert.Equal(8, map.Length - 1);
        JsonNode whole = Json("eval")[0];
        Assert.Equal((double)whole["loss"]!, (double)map[0]["loss"]!, 1e-6);

        foreach (JsonNode expert in map.Skip(1))
        {
            JsonNode[] eval = Json("eval", "--ablate", $"{expert["layer"]}:{expert["expert"]}");
            JsonNode change = eval[1];
            Assert.Equal((double)eval[0]["loss"]!, (double)expert["loss"]!, 1e-6);
            Assert.Equal((double)change["after"]!, (double)expert["loss"]!, 1e-7);
            Assert.Equal((double)change["before"]!, (double)map[0]["loss"]!, 1e-12);
            double[] byDomain = [.. change["domains"]!.AsArray().Select(domain => (double)domain!["after"]!)];
            Assert.Equal(byDomain, expert["domains"]!.AsArray().Select(loss => (double)loss!), (a, b) => Math.Abs(a - b) < 1e-6);
            double mean = change["domains"]!.AsArray().Sum(domain => (double)domain!["share"]! * (double)domain["after"]!);
            Assert.Equal((double)change["after"]!, mean, 1e-5);   // shares are float32
            JsonNode layer = eval[2 + (int)expert["layer"]!];
            Assert.Equal(0, (double)layer["load"]![(int)expert["expert"]!]!);
        }
    }

    [Fact]
    public void Ablate_OnATerminal_ShowsLayersAndWhoIsMissed()
    {
        CommandLine shown = CommandLine.Run("ablate", "--run", folder["run"], "--windows", "6", "--threads", "2");
        Assert.Equal((0, ""), (shown.ExitCode, shown.Error));
        Assert.StartsWith("the first 6 of ", shown.Output, StringComparison.Ordinal);
        Assert.Contains("most missed", shown.Output, StringComparison.Ordinal);
        Assert.All(shown.OutputLines, line => Assert.True(line.Length <= 80, line));
    }

    [Fact]
    public void Eval_Forced_ShowsAllLoadOnOneExpert_AndTheChange()
    {
        CommandLine shown = CommandLine.Run("eval", "--run", folder["run"], "--windows", "6", "--threads", "2", "--force", "1:2,0:3");
        Assert.Equal((0, ""), (shown.ExitCode, shown.Error));
        Assert.Contains("every token of layer 1 to expert 2, every token of layer 0 to expert 3", shown.Output, StringComparison.Ordinal);
        Assert.Contains("with all experts: loss", shown.Output, StringComparison.Ordinal);
        JsonNode[] json = Json("eval", "--windows", "6", "--force", "1:2");
        Assert.Equal([0d, 0, 1, 0], json[3]["load"]!.AsArray().Select(share => (double)share!));
    }

    [Fact]
    public void Score_Ablated_ShowsTheChangeOfEveryToken()
    {
        JsonNode[] without = Json("score", "--text", "the cat sat", "--ablate", "0:0,1:1"), whole = Json("score", "--text", "the cat sat");
        Assert.NotEqual((double)whole[0]["sum"]!, (double)without[0]["sum"]!);
        Assert.Equal(
            whole[0]["tokens"]!.AsArray().Select(token => (double?)token!["log_probability"]),
            without[0]["tokens"]!.AsArray().Select(token => (double?)token!["unchanged"]));
        Assert.Contains("all experts", CommandLine.Run("score", "--run", folder["run"], "--text", "the cat", "--force", "0:1").Output,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(2, "--ablate needs layers and experts, both from 0, as 1:3,2:0, not '1-3'", "--ablate", "1-3")]
    [InlineData(2, "--force needs layers and experts, both from 0, as 1:3,2:0, not '-1:3'", "--force", "-1:3")]
    [InlineData(1, "there is no expert 2:0: the model has the layers 0 to 1", "--ablate", "2:0")]
    [InlineData(1, "there is no expert 1:4: layer 1 has the experts 0 to 3", "--force", "1:4")]
    [InlineData(1, "all 4 experts of layer 0 are to be ablated, and none would be left; keep one", "--ablate", "0:0,0:1,0:2,0:3")]
    [InlineData(1, "layer 1 cannot send every token to expert 0 and to expert 1; force one in a layer", "--force", "1:0,1:1")]
    public void Eval_ImpossibleExperts_AreOneLine(int exitCode, string message, params string[] options)
    {
        CommandLine wrong = CommandLine.Run(["eval", "--run", folder["run"], "--windows", "2", .. options]);
        Assert.Equal(exitCode, wrong.ExitCode);
        Assert.Contains(message, wrong.ErrorLines[0], StringComparison.Ordinal);
        Assert.Equal("", wrong.Output);
    }

    private JsonNode[] Json(string command, params string[] options)
    {
        CommandLine done = CommandLine.Run([command, "--run", folder["run"], "--threads", "2", "--json", .. options]);
        Assert.Equal((0, ""), (done.ExitCode, done.Error));
        return [.. done.OutputLines.Select(line => JsonNode.Parse(line)!)];
    }
}
