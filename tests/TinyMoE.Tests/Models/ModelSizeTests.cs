using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Models;

public sealed class ModelSizeTests
{
    public static TheoryData<string> Names => ["plain", "noisy", "switch-head", "heads", .. Presets.All.Select(preset => preset.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void ForwardFlops_AreNearWhatTheKernelsDo(string name)
    {
        RunConfig config = TestModels.Named(name);
        config = config with { Model = config.Model with { Vocabulary = 64 } };
        int T = config.Model.Context;
        using ProfilingBackend backend = new(new CpuBackend(2));
        using Decoder model = new(backend, config);
        using (Tape tape = backend.NewTape(recording: false))
            model.Forward(tape, tape.Ints(TestModels.Ids(T, 64)), 1, T, Pass.Inference);
        double flops = backend.Kernels.Where(kernel => kernel.Name.Contains("MatMul", StringComparison.Ordinal) || kernel.Name.StartsWith("Attention", StringComparison.Ordinal)).Sum(kernel => kernel.Flops);
        Assert.InRange(flops / T / ModelSize.Of(config).ForwardFlopsPerToken, 0.9, 1.1);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("heads")]
    public void GenerationBytes_AreTheWeightsAndWhatTheCacheTakes(string name)
    {
        RunConfig config = TestModels.Named(name);
        using CpuBackend backend = new(1);
        using Decoder model = new(backend, config, training: false);
        long before = backend.Pool.LiveBytes;
        using DecoderCache cache = model.NewCache();
        Assert.Equal(backend.Pool.LiveBytes - before, ModelSize.Of(config).GenerationBytes - sizeof(float) * model.Parameters.Count);
    }

    [Fact]
    public void SwitchHead_CountsTheExpertsThatATokenMeets()
    {
        ModelSize size = ModelSize.Of(TestModels.TinySwitchHead);
        ModelPart experts = size.Parts.Single(part => part.Name == "attention experts"), attention = size.Parts.Single(part => part.Name == "attention");
        (ModelConfig model, AttentionConfig heads) = (TestModels.TinySwitchHead.Model, TestModels.TinySwitchHead.Attention);
        int C = model.Width, D = C / heads.Heads, all = heads.Heads + heads.KvHeads;
        Assert.Equal(model.Layers * 3 * (all * D * C + heads.Heads * C), experts.Total);
        Assert.Equal(experts.Total * 2 / 3, experts.Active);
        Assert.Equal(model.Layers * (C * C + heads.KvHeads * D * C + all * 3 * C), attention.Total);
        Assert.Equal(attention.Total, attention.Active);
    }
}
