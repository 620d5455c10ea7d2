using System.Text.Json;
using TinyMoE.App;
using TinyMoE.Surgery;
using TinyMoE.Tests.Cli;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.App;

/// <summary>From a dense run to a mixture that trains on, by the library and by the command.</summary>
public sealed class UpcyclingTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly string text;

    public UpcyclingTests()
    {
        text = folder.Write("text.txt", string.Concat(Enumerable.Range(0, 400).Select(i => $"the cat sat on mat {i % 10}.\n")));
        Training.Run(
            Training.Prepare(
                new ConfigChoice
                {
                    Changes = [.. ((string[])["model.width=16", "model.layers=2", "model.hidden=32", "model.context=16",
                        "attention.heads=2", "attention.kv_heads=1", "moe.experts=0", "train.batch=2",
                        "train.eval_every=10", "train.eval_windows=4", "train.warmup=1"])
                        .Select(key => key.Split('=')).Select(pair => KeyValuePair.Create(pair[0], pair[1]))],
                    Sources = [text],
                    Steps = 20,
                },
                folder["dense"]),
            new RatesRecorder());
    }

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(UpcycleMethod.Copy, false, true)]
    [InlineData(UpcycleMethod.Copy, true, true)]
    [InlineData(UpcycleMethod.Drop, false, false)]
    [InlineData(UpcycleMethod.Granular, false, true)]
    [InlineData(UpcycleMethod.Partition, false, false)]
    public void Upcycled_Measured_Trains_AndGoesOnAsIfItHadNotStopped(UpcycleMethod method, bool shared, bool isDense)
    {
        List<KeyValuePair<string, string>> keys = [KeyValuePair.Create("moe.experts", "4"), KeyValuePair.Create("moe.active", "2")];
        if (method == UpcycleMethod.Granular)
            keys.Add(KeyValuePair.Create("moe.hidden", "16"));
        UpcycleResult result = Upcycling.Run(new UpcycleRequest([ModelFolder.Run(folder["dense"])], folder["mixture"])
        {
            Changes = keys,
            Options = new UpcycleOptions { Method = method, Shared = shared },
        });
        Assert.Equal(isDense, result.Differences.Count == 0);
        double jump = result.Losses!.Jump;
        Assert.True(isDense ? Math.Abs(jump) < 1e-6 : Math.Abs(jump) > 1e-4, $"a jump of {jump}");
        EvaluationResult again = Evaluating.Run(new EvaluationRequest(folder["mixture"]) { Sources = [text] });
        Assert.True(double.IsFinite(again.Report.Loss));

        ConfigChoice init = new() { Init = folder["mixture"], Sources = [text], Steps = 6, Seed = 3 };
        Training.Run(Training.Prepare(init, folder["whole"]), new RatesRecorder());
        Training.Run(Training.Prepare(init, folder["parts"]) with { StopAt = 4 }, new RatesRecorder());
        Training.Run(Training.Prepare(new ConfigChoice(), folder["parts"], resume: true), new RatesRecorder());
        foreach (string file in (string[])["model.safetensors", "optimizer.safetensors"])
            Assert.Equal(File.ReadAllBytes(folder[$"whole/last/{file}"]), File.ReadAllBytes(folder[$"parts/last/{file}"]));
    }

    [Fact]
    public void Command_SaysWhatTheFirstStepIs_InWordsAndInJson()
    {
        CommandLine words = CommandLine.Run(
            "upcycle", "--run", folder["dense"], "--out", folder["a"], "--set", "moe.experts=4", "moe.active=2", "--windows", "3");
        Assert.Equal(("", 0), (words.Error, words.ExitCode));
        Assert.StartsWith("4 experts of 32 in 2 of 2 layers; 2 per token; ", words.OutputLines[0], StringComparison.Ordinal);
        Assert.Equal("the first step computes the dense model", words.OutputLines[1]);
        Assert.EndsWith("; a jump of 0.000000", words.OutputLines[3].Replace("+", "").Replace("-", ""), StringComparison.Ordinal);

        CommandLine json = CommandLine.Run(
            "upcycle", "--run", folder["dense"], folder["dense"], "--out", folder["b"], "--set", "moe.experts=4", "moe.active=2", "--json");
        JsonElement said = JsonDocument.Parse(json.Output).RootElement;
        Assert.False(said.GetProperty("is_dense").GetBoolean());
        Assert.Equal(2, said.GetProperty("dense_loss").GetArrayLength());
        Assert.Equal(0, said.GetProperty("jump").GetDouble(), 1e-6); // of equal models the mean is the model
    }

    [Theory]
    [InlineData("true", true)]
    [InlineData("false", false)]
    public void OneExpertPerToken_WhoseGateIsAlwaysOne_IsNoted(string renormalize, bool isNoted)
    {
        UpcycleResult result = Upcycling.Run(new UpcycleRequest([ModelFolder.Run(folder["dense"])], folder["mixture"])
        {
            Changes =
            [
                KeyValuePair.Create("moe.experts", "4"), KeyValuePair.Create("moe.active", "1"),
                KeyValuePair.Create("moe.renormalize", renormalize),
            ],
            Windows = 0,
        });
        Assert.Null(result.Losses);
        Assert.Equal(isNoted, result.Notes.Any(note => note.Text.StartsWith("every gate is 1", StringComparison.Ordinal)));
        Assert.Equal(isNoted, result.Differences.Count == 0);
    }

    [Theory]
    [InlineData(2, "upcycle needs --run DIR or --model DIR", "--out", "x")]
    [InlineData(2, "--drop-ratio is of --method drop", "--run", "dense", "--out", "x", "--drop-ratio", "0.5")]
    [InlineData(2, "--layers needs numbers", "--run", "dense", "--out", "x", "--layers", "one")]
    [InlineData(1, "moe.experts=8", "--run", "dense", "--out", "x")]
    [InlineData(1, "holds a run already", "--run", "dense", "--out", "dense", "--set", "moe.experts=4")]
    [InlineData(1, "3 experts cannot be of 2 models", "--run", "dense", "dense", "--out", "x", "--set", "moe.experts=3")]
    public void Command_OfWhatCannotBe_IsOneLine_AndLeavesNothing(int exitCode, string expected, params string[] args)
    {
        CommandLine result = CommandLine.Run(["upcycle", .. args.Select(arg => arg is "dense" or "x" ? folder[arg] : arg)]);
        Assert.Equal(exitCode, result.ExitCode);
        Assert.Contains(expected, result.ErrorLines[0], StringComparison.Ordinal);
        Assert.False(Directory.Exists(Path.Combine(folder["x"], "last")));
    }
}
