using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tests.Files;
using TinyMoE.Train;

namespace TinyMoE.Tests.Layers;

/// <summary>What trains and what keeps its values, by patterns.</summary>
public sealed class TrainableTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("all", "embedding norms attention router experts head")]
    [InlineData("attention", "attention")]
    [InlineData("router,norms", "router norms")]
    [InlineData("!experts", "embedding norms attention router head")]
    [InlineData("all,!head", "embedding norms attention router experts")]
    [InlineData("st-moe", "embedding norms attention head")]
    [InlineData("flan-moe", "embedding norms attention experts head")]
    [InlineData("*.query.weight", "layers.0.attention.query.weight layers.1.attention.query.weight")]
    [InlineData("layers.1.moe.router.weight", "layers.1.moe.router.weight")]
    [InlineData("layers.1-.router,layers.0.*.key.weight", "layers.1.moe.router.weight layers.0.attention.key.weight")]
    [InlineData("experts,!layers.0", "layers.1.moe.experts.gate.weight layers.1.moe.experts.up.weight layers.1.moe.experts.down.weight")]
    [InlineData("!experts,layers.0-0.experts,!layers.0.*.down.*",
        "embedding norms attention router head layers.0.moe.experts.gate.weight layers.0.moe.experts.up.weight")]
    public void Patterns_Choose_PartsLayersAndNames(string patterns, string expected)
    {
        IReadOnlyList<Parameter> all = Decoder.Plan(With(patterns));
        HashSet<string> wanted = [.. expected.Split(' ')];
        Assert.Equal(
            all.Where(p => wanted.Contains(p.Name) || wanted.Contains(Trainable.NameOf(p.Part))).Select(p => p.Name),
            all.Where(p => !p.IsFrozen).Select(p => p.Name));
    }

    [Theory]
    [InlineData("expert", "train.trainable: 'expert' hits no weight of the model; its parts are embedding, norms, attention,")]
    [InlineData("attention,!shared-experts", "'!shared-experts' hits no weight")]
    [InlineData("layers.2-", "'layers.2-' hits no weight")]
    [InlineData("layers.x", "'layers.x' names no layers; write layers.3, layers.2-5 or layers.8-.")]
    [InlineData("layers.1-0-2", "names no layers")]
    [InlineData("attention,", "train.trainable has an empty pattern")]
    [InlineData("", "train.trainable has an empty pattern")]
    [InlineData("!all", "train.trainable leaves nothing to train")]
    public void Patterns_OfNothing_AreOneClearLine(string patterns, string expected) => Assert.Contains(
        expected, OneLine.Of(() => Decoder.Plan(With(patterns))), StringComparison.Ordinal);

    [Theory]
    [InlineData("deepseek", "flan-moe")]
    [InlineData("top-k", "st-moe")]
    [InlineData("top-k", "layers.1-.experts,head")]
    public void Frozen_KeepsItsBits_HasNoMoments_AndTheRunGoesOnAsIfItHadNotStopped(string router, string patterns)
    {
        RunConfig config = With(patterns).With("moe.router", router).For(TestModels.Corpus());
        HashSet<string> trains = [.. Decoder.Plan(config).Where(p => !p.IsFrozen).Select(p => p.Name)];
        RecordingListener listener = new();
        using (CpuBackend backend = new(1))
        {
            using Decoder start = new(backend, config);
            using Trainer whole = new(backend, config, TestModels.Corpus(), new RunFolder(folder["whole"]), listener);
            whole.Run(6);
            foreach ((Parameter before, Parameter now) in start.Parameters.All.Zip(whole.Model.Parameters.All))
            {
                bool isSame = start.Parameters.Values(before).AsSpan().SequenceEqual(whole.Model.Parameters.Values(now));
                Assert.Equal(trains.Contains(now.Name), !isSame);
            }

            float[] states = [.. whole.Model.Parameters.States.Where(s => s.IsSaved).SelectMany(s => backend.Read(s.Data))];
            Assert.All(states, value => Assert.Equal(0f, value)); // the router's correction is frozen with it
        }

        Assert.Contains(listener.Start!.Notes!, note => note.Text.StartsWith("trains ", StringComparison.Ordinal));
        using (CpuBackend backend = new(1))
        {
            using (Trainer part = new(backend, config, TestModels.Corpus(), new RunFolder(folder["parts"]), new RecordingListener()))
                part.Run(3);
            using Trainer rest = new(
                backend, config, TestModels.Corpus(), new RunFolder(folder["parts"]), new RecordingListener(), resume: true);
            rest.Run(6);
        }

        foreach (string file in (string[])["model.safetensors", "optimizer.safetensors"])
            Assert.Equal(File.ReadAllBytes(folder[$"whole/last/{file}"]), File.ReadAllBytes(folder[$"parts/last/{file}"]));
        using TinyMoE.Files.SafetensorsReader moments = TinyMoE.Files.SafetensorsReader.Open(folder["whole/last/optimizer.safetensors"]);
        using TinyMoE.Files.SafetensorsReader weights = TinyMoE.Files.SafetensorsReader.Open(folder["whole/last/model.safetensors"]);
        Assert.InRange(moments.Tensors.Count, 2, 2 * weights.Tensors.Count - 2);
    }

    private static RunConfig With(string patterns) => TestModels.Tiny.With("train.trainable", patterns);
}
