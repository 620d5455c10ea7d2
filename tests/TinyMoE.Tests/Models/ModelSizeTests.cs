using TinyMoE.Backends.Cpu;
using TinyMoE.Backends.Profiling;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Models;

public sealed class ModelSizeTests
{
    public static TheoryData<string> Names =>
        ["plain", "noisy", "switch-head", "heads", "latent", .. Presets.All.Select(preset => preset.Name)];

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
        double flops = backend.Kernels.Where(kernel => kernel.ProductFlops > 0).Sum(kernel => kernel.Flops);
        Assert.InRange(flops / T / ModelSize.Of(config).ForwardFlopsPerToken, 1.0, 1.1); // biases and activations
    }

    [Fact]
    public void ForwardFlops_AreTwoPerActiveWeightAndFourPerKeyAndChannel()
    {
        RunConfig config = Presets.Get("mixtral-tiny");
        config = config with { Model = config.Model with { Vocabulary = 96 } };
        ModelSize size = ModelSize.Of(config);
        ModelConfig model = config.Model;
        long products = size.Parts.Where(part => part.Part != ModelPart.Norms).Sum(part => part.Active); // the table is the head as well
        Assert.Equal(2 * products + (long)(4 * (model.Context + 1) / 2.0 * model.Width * model.Layers), size.ForwardFlopsPerToken);
        Assert.Equal(2_130_944, size.ForwardFlopsPerToken);
    }

    [Fact]
    public void Mixtral8x7B_IsCounted_WithoutMemory()
    {
        RunConfig config = new()
        {
            Model = new ModelConfig { Width = 4096, Layers = 32, Context = 4096, Vocabulary = 32000 },
            Attention = new AttentionConfig { Heads = 32, KvHeads = 8 },
            Moe = new MoeConfig { Experts = 8, Active = 2, Hidden = 14336 },
            Train = new TrainConfig { Batch = 8 },
        };
        config.Validate();
        long before = GC.GetAllocatedBytesForCurrentThread();
        ModelSize size = ModelSize.Of(config);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100L << 20);
        Assert.Equal(46_702_792_704, size.TotalParameters);
        Assert.Equal(12_879_925_248, size.ActiveParameters);
        Assert.InRange(size.ForwardFlopsPerToken, 2 * 12_600_000_000, 2 * 14_000_000_000);
        Assert.InRange(size.GenerationBytes, 4 * size.TotalParameters, 4 * size.TotalParameters + (2L << 30));
        Assert.InRange(size.TrainingBytes, 16 * size.TotalParameters, 40 * size.TotalParameters);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("heads")]
    [InlineData("latent")]
    public void GenerationBytes_AreTheWeightsAndWhatTheCacheTakes(string name)
    {
        RunConfig config = TestModels.Named(name);
        using CpuBackend backend = new(1);
        using Decoder model = new(backend, config, training: false);
        using DecoderCache cache = model.NewCache();
        Assert.Equal(backend.Pool.LiveBytes, ModelSize.Of(config).GenerationBytes);
    }

    [Fact]
    public void SwitchHead_CountsTheExpertsThatATokenMeets()
    {
        ModelSize size = ModelSize.Of(TestModels.TinySwitchHead);
        PartSize experts = size.Parts.Single(part => part.Name == "attention experts");
        PartSize attention = size.Parts.Single(part => part.Name == "attention");
        (ModelConfig model, AttentionConfig heads) = (TestModels.TinySwitchHead.Model, TestModels.TinySwitchHead.Attention);
        int C = model.Width, D = C / heads.Heads, all = heads.Heads + heads.KvHeads;
        Assert.Equal(model.Layers * 3 * (all * D * C + heads.Heads * C), experts.Total);
        Assert.Equal(experts.Total * 2 / 3, experts.Active);
        Assert.Equal(model.Layers * (C * C + heads.KvHeads * D * C + all * 3 * C), attention.Total);
        Assert.Equal(attention.Total, attention.Active);
    }
}
