using TinyMoE.Backends.Cpu;
using TinyMoE.Backends.Profiling;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Models;

public sealed class ModelSizeTests
{
    public static TheoryData<string> Names => ["plain", "noisy", "switch-head", .. Presets.All.Select(preset => preset.Name)];

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

    [Fact]
    public void SwitchHead_CountsTheExpertsThatATokenMeets()
    {
        ModelSize size = ModelSize.Of(TestModels.TinySwitchHead);
        PartSize experts = size.Parts.Single(part => part.Name == "attention experts"), attention = size.Parts.Single(part => part.Name == "attention");
        ModelConfig model = TestModels.TinySwitchHead.Model;
        int C = model.Width, D = model.HeadSize, heads = model.Heads + model.KvHeads;
        Assert.Equal(model.Layers * 3 * (heads * D * C + model.Heads * C), experts.Total);
        Assert.Equal(experts.Total * 2 / 3, experts.Active);
        Assert.Equal(model.Layers * (C * C + model.KvHeads * D * C + heads * 3 * C), attention.Total);
        Assert.Equal(attention.Total, attention.Active);
    }
}
