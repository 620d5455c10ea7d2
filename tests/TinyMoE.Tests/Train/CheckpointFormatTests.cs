using System.Text;
using System.Text.Json.Nodes;
using TinyMoE.Backends.Cpu;
using TinyMoE.Data;
using TinyMoE.Tests.Files;
using TinyMoE.Train;

namespace TinyMoE.Tests.Train;

public sealed class CheckpointFormatTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void ANewCheckpoint_SaysItsFormat() => Assert.Equal(3, (int)State()["format"]!);

    [Theory]
    [InlineData("4", "format 4")]
    [InlineData("-1", "format -1")]
    [InlineData("\"next\"", "format \"next\"")]
    public void ANewerFormat_IsRefusedInOneLine_WhoeverReads(string format, string expected)
    {
        JsonObject state = State();
        state["format"] = JsonNode.Parse(format);
        Checkpoints.Write(folder["a/last"], "state.json", Encoding.UTF8.GetBytes(state.ToJsonString()));
        using CpuBackend backend = new(1);
        Assert.Contains(expected, OneLine.Of(() => Checkpoints.Config(folder["a/last"])));
        Assert.Contains(expected, OneLine.Of(() => Checkpoints.Model(folder["a/last"], backend)));
        Assert.Contains(expected, OneLine.Of(() => Train(resume: true)));
    }

    [Fact]
    public void NoFormat_IsTheFirst_AndIsReadWithoutChecksums()
    {
        JsonObject state = State();
        state.Remove("format");
        state.Remove("evaluated_step");
        File.Delete(folder["a/last/SHA256SUMS"]);
        File.WriteAllText(folder["a/last/state.json"], state.ToJsonString());
        Train(resume: true);
        Assert.Equal(3, (int)JsonNode.Parse(File.ReadAllText(folder["a/last/state.json"]))!["format"]!);
    }

    /// <summary>The state of a run that was just saved.</summary>
    private JsonObject State()
    {
        Train(resume: false);
        return JsonNode.Parse(File.ReadAllText(folder["a/last/state.json"]))!.AsObject();
    }

    private void Train(bool resume)
    {
        Corpus corpus = TestModels.Corpus();
        using CpuBackend backend = new(1);
        RunFolder run = new(folder["a"]);
        using Trainer trainer = new(backend, TestModels.Tiny.For(corpus), corpus, run, new RecordingListener(), resume);
        trainer.Run(stopAt: resume ? 2 : 1);
    }
}
