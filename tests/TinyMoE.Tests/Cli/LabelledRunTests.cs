using System.Text.Json.Nodes;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Cli;

/// <summary>Runs whose routers go by label or by id, and what is told of them.</summary>
public sealed class LabelledRunTests : IDisposable
{
    private static readonly string[] Small =
    [
        "--set", "model.width=32", "model.layers=2", "attention.heads=2", "attention.kv_heads=1", "model.context=16",
        "moe.experts=4", "moe.hidden=32",
        "train.batch=4", "train.eval_every=10", "train.eval_windows=8", "train.warmup=5", "--threads", "2",
    ];

    private readonly TemporaryFolder folder = new();
    private readonly string[] sources;

    public LabelledRunTests() => sources =
    [
        "cats=" + folder.Write("a.txt", string.Concat(Enumerable.Range(0, 150).Select(i => $"the cat sat on mat {i % 10}.\n"))),
        "dogs=" + folder.Write("b.txt", string.Concat(Enumerable.Range(0, 150).Select(i => $"{i % 10} dogs ran at a man.\n"))),
    ];

    [Fact]
    public void Task_TrainStopResumeEvalGenerate()
    {
        CommandLine whole = Train("whole", "--steps", "20", "--set", "moe.router=task", "moe.active=1", "moe.renormalize=false");
        Assert.Equal((0, ""), (whole.ExitCode, whole.Error));
        Assert.Contains("--label cats", whole.Output, StringComparison.Ordinal);
        Train("parts", "--steps", "20", "--stop-at", "13", "--set", "moe.router=task", "moe.active=1", "moe.renormalize=false");
        CommandLine resumed = CommandLine.Run("train", "--resume", "--out", folder["parts"], "--threads", "1");
        Assert.Equal((0, ""), (resumed.ExitCode, resumed.Error));
        Assert.Equal(File.ReadAllBytes(folder["whole/last/model.safetensors"]), File.ReadAllBytes(folder["parts/last/model.safetensors"]));
        Assert.Equal(Routing("whole"), Routing("parts"));
        Assert.Equal(2, JsonNode.Parse(File.ReadAllText(folder["whole/last/config.json"]))!["moe"]!["tasks"]!.GetValue<int>());

        // All tokens of a label go to the same expert
        JsonNode layer = JsonNode.Parse(CommandLine.Run("eval", "--run", folder["whole"], "--json").Output.Split('\n')[1])!;
        Assert.Equal(["cats", "dogs"], layer["domains"]!.AsArray().Select(domain => domain!["label"]!.GetValue<string>()).Order());
        Assert.All(
            layer["domains"]!.AsArray(),
            domain => Assert.Equal(1f, domain!["load"]!.AsArray().Max(share => share!.GetValue<float>())));
        Assert.Contains("expert load by domain", CommandLine.Run("eval", "--run", folder["whole"]).Output, StringComparison.Ordinal);

        string[] generate = ["generate", "--run", folder["whole"], "--prompt", "the ", "--tokens", "30", "--label"];
        (CommandLine cats, CommandLine dogs) = (CommandLine.Run([.. generate, "cats"]), CommandLine.Run([.. generate, "dogs"]));
        Assert.Equal((0, "", 0, ""), (cats.ExitCode, cats.Error, dogs.ExitCode, dogs.Error));
        AssertFails("no label 'birds'; known: cats, dogs", CommandLine.Run([.. generate, "birds"]));
        AssertFails("name one by --label: cats, dogs", CommandLine.Run(generate[..^1]));

        string text = folder.Write("c.txt", string.Concat(Enumerable.Repeat("a cat sat\n", 90)));
        AssertFails(
            "knows no label 'birds'; known: cats, dogs",
            CommandLine.Run("eval", "--run", folder["whole"], "--data", "birds=" + text));
        Assert.Equal(0, CommandLine.Run("eval", "--run", folder["whole"], "--data", "dogs=" + text).ExitCode);
    }

    [Fact]
    public void Task_FewerTasksThanLabels_IsRefused_AndInfoCountsThem()
    {
        AssertFails("moe.tasks=1 is less than the 2 labels", Train("run", "--set", "moe.router=task", "moe.tasks=1"));
        string config = folder.Write("task.json", new JsonObject
        {
            ["moe"] = new JsonObject { ["router"] = "task" },
            ["data"] = new JsonObject { ["sources"] = new JsonArray([.. sources.Select(source => (JsonNode?)source)]) },
        }.ToJsonString());
        JsonNode info = JsonNode.Parse(CommandLine.Run("info", "--config", config, "--json").Output)!;
        Assert.Equal(2, info["config"]!["moe"]!["tasks"]!.GetValue<int>());
    }

    [Fact]
    public void Generate_LabelForAnotherRouter_IsRefused()
    {
        Train("run", "--steps", "1");
        AssertFails("--label is for models of moe.router=task", CommandLine.Run("generate", "--run", folder["run"], "--label", "cats"));
    }

    [Fact]
    public void HashBalanced_LoadsAreEven_AndResumeKeepsTheTable()
    {
        string[] hash = ["--set", "moe.router=hash", "moe.hash=balanced"];
        CommandLine whole = Train("whole", ["--steps", "20", .. hash]);
        Assert.Equal((0, ""), (whole.ExitCode, whole.Error));
        Train("parts", ["--steps", "20", "--stop-at", "11", .. hash]);
        CommandLine.Run("train", "--resume", "--out", folder["parts"]);
        Assert.Equal(File.ReadAllBytes(folder["whole/last/model.safetensors"]), File.ReadAllBytes(folder["parts/last/model.safetensors"]));
        Assert.Equal(Routing("whole"), Routing("parts"));

        Train("random", ["--steps", "10", "--set", "moe.router=hash"]);
        JsonNode layer = JsonNode.Parse(Routing("whole")[^1])!, random = JsonNode.Parse(Routing("random")[^1])!;
        Assert.InRange(layer["max_violation"]!.GetValue<float>(), 0f, 0.5f * random["max_violation"]!.GetValue<float>());
        Assert.Null(layer["entropy"]);
        Assert.Equal(0f, layer["changed"]!.GetValue<float>());
    }

    [Fact]
    public void Notes_AreInEveryOutput_AndALossThatLooksAheadIsMarked()
    {
        string[] looksAhead = ["--steps", "10", "--set", "moe.router=expert-choice", "moe.allow_non_causal=true"];
        CommandLine train = Train("run", looksAhead);
        Assert.Contains("note: not causal: moe.router=expert-choice", train.Output, StringComparison.Ordinal);
        string[] metrics = File.ReadAllLines(folder["run/metrics.jsonl"]);
        Assert.StartsWith("""{"kind":"note","step":0,"text":"not causal""", metrics[0], StringComparison.Ordinal);
        Assert.Contains(metrics, line => line.Contains("\"kind\":\"eval\"", StringComparison.Ordinal)
            && line.EndsWith(",\"causal\":false}", StringComparison.Ordinal));
        CommandLine json = Train("json", [.. looksAhead, "--json"]);
        Assert.Equal(File.ReadAllText(folder["json/metrics.jsonl"]), json.Output);

        CommandLine generate = CommandLine.Run("generate", "--run", folder["run"], "--tokens", "3");
        Assert.Contains("note: not causal", Assert.Single(generate.ErrorLines), StringComparison.Ordinal);
        Assert.DoesNotContain("note:", generate.Output, StringComparison.Ordinal);
        Assert.Contains("note: not causal", CommandLine.Run("eval", "--run", folder["run"]).Output, StringComparison.Ordinal);
        Assert.Contains("\"causal\":false", CommandLine.Run("eval", "--run", folder["run"], "--json").Output, StringComparison.Ordinal);
        Assert.Contains("note: not causal", CommandLine.Run("info", "--run", folder["run"]).Output, StringComparison.Ordinal);
        Assert.Contains("not causal", CommandLine.Run("info", "--run", folder["run"], "--json").Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Eval_Routing_DrawsWhichExpertsAreChosenTogether()
    {
        Train("run", "--steps", "2");
        CommandLine routing = CommandLine.Run("eval", "--run", folder["run"], "--routing");
        Assert.Contains("layer 1, experts chosen together", routing.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("chosen together", CommandLine.Run("eval", "--run", folder["run"]).Output, StringComparison.Ordinal);
    }

    [Fact]
    public void Eval_ManyLabels_NamesTheLargest()
    {
        string records = folder.Write("r.jsonl", string.Concat(Enumerable.Range(0, 600).Select(
            i => $$"""{"text": "the cat sat on the mat, and again", "label": "l{{i % 20}}"}""" + "\n")));
        CommandLine train = CommandLine.Run(
        [
            "train", "--data", records, "--out", folder["run"], "--steps", "10", .. Small,
            "--set", "data.labels=record", "train.eval_windows=0",
        ]);
        Assert.Equal((0, ""), (train.ExitCode, train.Error));
        JsonArray domains = JsonNode.Parse(Routing("run")[^1])!["domains"]!.AsArray();
        Assert.Equal(13, domains.Count);
        Assert.Equal("(8 more)", domains[^1]!["label"]!.GetValue<string>());
        Assert.Equal(1f, domains.Sum(domain => domain!["share"]!.GetValue<float>()), 1e-4f);
    }

    public void Dispose() => folder.Dispose();

    private static void AssertFails(string message, CommandLine result)
    {
        Assert.Equal(1, result.ExitCode);
        Assert.Contains(message, Assert.Single(result.ErrorLines), StringComparison.Ordinal);
    }

    private string[] Routing(string run) =>
    [
        .. File.ReadAllLines(folder[$"{run}/metrics.jsonl"])
            .Where(line => line.Contains("\"kind\":\"routing\"", StringComparison.Ordinal)),
    ];

    private CommandLine Train(string run, params string[] more) =>
        CommandLine.Run(["train", "--data", .. sources, "--out", folder[run], .. Small, .. more]);
}
