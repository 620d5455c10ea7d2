using System.Diagnostics;
using System.Text.Json.Nodes;
using TinyMoE.App;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Train;

/// <summary>Checkpoints whose small files were written to say what cannot be: whoever reads them names the file in one line.</summary>
public sealed class ImpossibleCheckpointTests : IDisposable
{
    private const string Small =
        "model.width=16 model.layers=1 attention.heads=2 attention.kv_heads=1 model.context=16 moe.experts=4 moe.hidden=16 "
        + "moe.router=task train.batch=2 train.eval_windows=2 train.warmup=1";

    private readonly TemporaryFolder folder = new();

    public ImpossibleCheckpointTests()
    {
        string text = folder.Write("text.txt", string.Concat(Enumerable.Range(0, 200).Select(i => $"the cat sat on mat {i % 10}.\n")));
        ConfigChoice small = new()
        {
            Changes = [.. Small.Split(' ').Select(change => KeyValuePair.Create(change.Split('=')[0], change.Split('=')[1]))],
            Sources = ["cats=" + text],
            Steps = 4,
        };
        Training.Run(Training.Prepare(small, folder["run"]) with { StopAt = 2 }, new RecordingListener());
    }

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("model", "norm_epsilon", "-1", "model.norm_epsilon=-1")]
    [InlineData("model", "width", "-1", "model.width=-1")]
    [InlineData("model", "width", "10000000", "model.width")]
    [InlineData("model", "vocabulary", "0", "model.vocabulary=0")]
    [InlineData("model", "layers", "10000000", "model.layers=10000000")]
    [InlineData("train", "steps", "0", "train.steps=0")]
    [InlineData("train", "accumulation", "7", "train.accumulation=7")]
    [InlineData("moe", "tasks", "0", "moe.tasks=0")]
    [InlineData("moe", "active", "9", "moe.active=9")]
    [InlineData("attention", "heads", "3", "attention.heads=3")]
    [InlineData("data", "sources", "[]", "data.sources")]
    public void Config_ThatCannotWork_IsRefusedByEveryCommand(string group, string key, string value, string said)
    {
        Change("config.json", config => config[group]![key] = JsonNode.Parse(value));
        AssertRefused("config.json", said);
        Assert.Contains(said, Message(() => ModelInfo.Of(new ConfigChoice(), folder["run"])), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model.layers", 9_999, "model.layers.1.")]
    [InlineData("model.layers", 10_000_000, "model.layers")]
    [InlineData("model.vocabulary", 2_000_000, "")]
    [InlineData("model.vocabulary", 10_000_000, "")]
    [InlineData("model.context", 10_000_000, "model.context")]
    [InlineData("moe.experts", 1_000_000, "block_sparse_moe")]
    [InlineData("moe.experts", 10_000_000, "moe.experts")]
    [InlineData("moe.hidden", 100_000, "block_sparse_moe")]
    [InlineData("moe.hidden", 10_000_000, "block_sparse_moe")]
    [InlineData("moe.tasks", 9_000_000, "task_gate")]
    [InlineData("moe.shared_experts", 100_000, "shared_experts")]
    [InlineData("attention.head_size", 1_000_000, "self_attn")]
    public void Config_OfAGiant_IsRefusedAtOnce(string key, int value, string said)
    {
        Change("config.json", config => config[key.Split('.')[0]]![key.Split('.')[1]] = value);
        Stopwatch clock = Stopwatch.StartNew();
        AssertRefused(said);
        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 15);       // four commands on a machine that has other work
    }

    [Theory]
    [InlineData("step", "-1", "step -1")]
    [InlineData("step", "2000000000", "train.steps=4")]
    [InlineData("step", "1e400", "damaged")]
    [InlineData("step", "99999999999", "damaged")]
    [InlineData("evaluated_step", "-3", "evaluated_step -3")]
    [InlineData("evaluated_step", "3", "evaluated_step 3 at step 2")]
    [InlineData("best_step", "77", "best_step 77")]
    [InlineData("best_loss", "1e400", "best_loss")]
    [InlineData("best_loss", "\"NaN\"", "damaged")]
    [InlineData("fingerprint", "null", "damaged")]
    [InlineData("fingerprint", "\"\\ud800\"", "damaged")]
    public void State_ThatCannotBe_IsRefused(string key, string value, string said)
    {
        foreach (string checkpoint in Directory.GetDirectories(folder["run"]))
        {
            string path = Path.Combine(checkpoint, "state.json");
            string line = File.ReadLines(path).Single(line => line.Contains($"\"{key}\":", StringComparison.Ordinal)).TrimEnd(',');
            File.WriteAllText(path, File.ReadAllText(path).Replace(line, $"  \"{key}\": {value}", StringComparison.Ordinal));
            Checkpoints.Relist(checkpoint);
        }

        string resume = Message(Resume);
        Assert.Contains("state.json", resume, StringComparison.Ordinal);
        Assert.Contains(said, resume, StringComparison.Ordinal);
        Assert.Contains(said, Message(() => Evaluating.Run(new EvaluationRequest(folder["run"]))), StringComparison.Ordinal);
    }

    [Fact]
    public void Tokenizer_OfAnotherSize_IsRefused_AndBothAreNamed()
    {
        Change("tokenizer.json", tokenizer => tokenizer["symbols"]!.AsArray().Add("é"));
        AssertRefused("tokenizer.json", "config.json", "model.vocabulary");
    }

    [Fact]
    public void Labels_OfWhichTheRouterHasFewer_AreRefused()
    {
        foreach (string checkpoint in Directory.GetDirectories(folder["run"]))
            Checkpoints.Write(checkpoint, "labels.json", """["cats", "dogs"]"""u8.ToArray());
        AssertRefused("labels.json", "config.json", "moe.tasks=1");
    }

    /// <summary>Evaluation, generation, resuming and beginning with the weights.</summary>
    private void AssertRefused(params string[] said)
    {
        Action[] readers =
        [
            () => Evaluating.Run(new EvaluationRequest(folder["run"])),
            () => TextGeneration.Run(new GenerationRequest(folder["run"]) { Label = "cats" }, new Nobody()),
            Resume,
            () => Training.Run(Training.Prepare(new ConfigChoice { Init = folder["run"] }, folder["new"]), new RecordingListener()),
        ];
        foreach (string message in readers.Select(Message))
            Assert.All(said, words => Assert.Contains(words, message, StringComparison.Ordinal));
        Assert.False(Directory.Exists(folder["new"]));
    }

    private void Resume() =>
        Training.Run(Training.Prepare(new ConfigChoice(), folder["run"], resume: true), new RecordingListener());

    private static string Message(Action action)
    {
        string message = Assert.ThrowsAny<TinyMoEException>(action).Message;
        Assert.DoesNotContain(message, char.IsControl);
        return message;
    }

    private void Change(string file, Action<JsonNode> change)
    {
        foreach (string checkpoint in Directory.GetDirectories(folder["run"]))
        {
            string path = Path.Combine(checkpoint, file);
            JsonNode json = JsonNode.Parse(File.ReadAllText(path))!;
            change(json);
            Checkpoints.Write(checkpoint, file, System.Text.Encoding.UTF8.GetBytes(json.ToJsonString()));
        }
    }

    private sealed class Nobody : ITextListener
    {
        public void OnText(string text)
        {
        }
    }
}
