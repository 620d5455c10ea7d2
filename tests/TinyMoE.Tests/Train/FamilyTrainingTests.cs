using System.Text.Json.Nodes;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Models;
using TinyMoE.Tests.Cli;
using TinyMoE.Tests.Files;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.Tests.Train;

/// <summary>Mixtures with the blocks of other families learn, are saved and read, and go on.</summary>
public sealed class FamilyTrainingTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public static TheoryData<string> Trainable => [.. FamilyModels.Trainable];

    public void Dispose() => folder.Dispose();

    [Theory]
    [MemberData(nameof(Trainable))]
    public void Train_OnePage_LearnsItByHeart(string name)
    {
        RunConfig config = TestModels.Named(name);
        RecordingListener listener = Train("a", config, Page(), steps: 150);
        Assert.True(listener.Steps[0].Loss > 3.5);
        Assert.InRange(listener.Steps[^1].Loss, 0.0, 0.15);
    }

    [Theory]
    [MemberData(nameof(Trainable))]
    public void Commands_OfARunWithTheseKeys_TrainResumeVerifyEvaluateAndTell(string name)
    {
        string text = folder.Write("text.txt", string.Concat(Enumerable.Repeat("the cat sat on the mat, and the dog saw it.\n", 60)));
        string file = folder.Write("config.json", ConfigJson.Write(TestModels.Named(name).With("model.vocabulary", "0")));
        string run = folder["run"];
        Succeeds("train", "--config", file, "--data", text, "--out", run, "--steps", "4", "--stop-at", "2", "--threads", "2");
        Succeeds("train", "--resume", "--out", run, "--threads", "2");
        Assert.All(Succeeds("verify", "--run", run).OutputLines, line => Assert.EndsWith(": whole", line, StringComparison.Ordinal));
        Succeeds("eval", "--run", run, "--data", text, "--routing", "--threads", "2");
        Succeeds("info", "--run", run);
        Assert.Equal(4, Checkpoints.Step(folder["run/last"]));

        static CommandLine Succeeds(params string[] arguments)
        {
            CommandLine command = CommandLine.Run(arguments);
            Assert.True(command.ExitCode == 0, $"{arguments[0]}: {command.Error}");
            return command;
        }
    }

    [Fact]
    public void Train_OneExpertWhoseGateIsOne_IsRefusedFromNothing_AndGoesOnWithGivenWeights()
    {
        string refused = Assert.Throws<TinyMoEException>(() => Train("a", FamilyModels.OneExpert, Page(), steps: 2)).Message;
        Assert.Contains("set moe.renormalize=false", refused, StringComparison.Ordinal);

        RunConfig undivided = FamilyModels.OneExpert.With("moe.renormalize", "false");
        Train("b", undivided, Page(), steps: 20);
        RecordingListener listener = Train("c", FamilyModels.OneExpert, Page(), steps: 120, init: folder["b"]);
        Assert.InRange(listener.Steps[^1].Loss, 0.0, 0.15);

        Train("c", FamilyModels.OneExpert, Page(), steps: 121, resume: true);
        Assert.True(Checkpoints.Config(folder["c/last"]).Moe.Renormalize);
        Assert.Equal(1f, listener.Routing[^1].TopGate, 1e-6f);
        Assert.Equal(0f, listener.Routing[^1].GateEntropy);
    }

    [Theory]
    [InlineData(1, true, false)]
    [InlineData(1, false, false)]
    [InlineData(2, true, true)]
    [InlineData(2, false, true)]
    public void OldCheckpoint_OfDeepSeek_DividesAsItDidThen(int active, bool written, bool meant)
    {
        RunConfig config = FamilyModels.Undivided with { Moe = FamilyModels.Undivided.Moe with { Active = active } };
        Train("a", config, Page(), steps: 1);
        JsonObject state = Json("state.json"), saved = Json("config.json");
        state["format"] = 2;
        saved["moe"]!["renormalize"] = written;
        Checkpoints.Write(folder["a/last"], "state.json", System.Text.Encoding.UTF8.GetBytes(state.ToJsonString()));
        Checkpoints.Write(folder["a/last"], "config.json", System.Text.Encoding.UTF8.GetBytes(saved.ToJsonString()));
        Assert.Equal(meant, Checkpoints.Config(folder["a/last"]).Moe.Renormalize);

        state["format"] = 3;
        Checkpoints.Write(folder["a/last"], "state.json", System.Text.Encoding.UTF8.GetBytes(state.ToJsonString()));
        Assert.Equal(written, Checkpoints.Config(folder["a/last"]).Moe.Renormalize);

        JsonObject Json(string file) => JsonNode.Parse(File.ReadAllText(folder[$"a/last/{file}"]))!.AsObject();
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("hash")]
    public void Vocabulary_LargerThanTheTokenizers_TrainsIsReadAndGoesOn(string name)
    {
        Corpus corpus = TestModels.Corpus();
        int larger = corpus.Tokenizer.Vocabulary + 7;
        RunConfig config = TestModels.Tiny.With("model.vocabulary", $"{larger}");
        if (name == "hash")
            config = config.With("moe.router", "hash").With("moe.hash", "balanced");
        using CpuBackend backend = new(1);
        foreach (bool resume in (bool[])[false, true])
        {
            using Trainer trainer = new(backend, config, corpus, new RunFolder(folder["a"]), new RecordingListener(), resume);
            trainer.Run(stopAt: resume ? 4 : 2);
        }

        Assert.Equal(corpus.Tokenizer.Vocabulary, Checkpoints.Tokenizer(folder["a/last"]).Vocabulary);
        using Decoder model = Checkpoints.Model(folder["a/last"], backend);
        Assert.Equal(larger, model.Config.Model.Vocabulary);
        Assert.Equal(larger, TestModels.Logits(backend, model, [1], B: 1).Length);
    }

    /// <summary>One window of training text, 17 + 3 tokens.</summary>
    private static Corpus Page() => new(new ByteTokenizer(), TestModels.Ids(40, 20), 0.5f);

    private RecordingListener Train(string name, RunConfig config, Corpus corpus, int steps, string? init = null, bool resume = false)
    {
        RecordingListener listener = new();
        config = config with
        {
            Model = config.Model with { Vocabulary = 256 },
            Train = config.Train with { Steps = steps, LearningRate = 1e-2f, Batch = 2, EvalEvery = 1000, EvalWindows = 0 },
        };
        using CpuBackend backend = new(2);
        using Trainer trainer = new(backend, config, corpus, new RunFolder(folder[name]), listener, resume, init: init);
        trainer.Run();
        return listener;
    }
}
