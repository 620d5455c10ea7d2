using TinyMoE.Backends.Cpu;
using TinyMoE.Generate;
using TinyMoE.Models;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Generate;

public sealed class GeneratorTests
{
    [Theory]
    [InlineData("plain")]
    [InlineData("noisy")]
    [InlineData("switch-head")]
    [InlineData("heads")]
    [InlineData("latent")]
    [InlineData("sinks")]
    [InlineData("linear")]
    [InlineData("dynamic")]
    [InlineData("llama3")]
    [InlineData("yarn")]
    public void Greedy_WithCache_EqualsWithout(string name)
    {
        // Far beyond the context of 16, so that the window starts over several times.
        using CpuBackend backend = new(2);
        using Decoder model = TestModels.Spread(backend, TestModels.Named(name));
        SamplingOptions greedy = new() { Temperature = 0 };
        int[] cached = [.. new Generator(backend, model).Generate([1, 2, 3], 60, greedy)];
        int[] plain = [.. new Generator(backend, model, useCache: false).Generate([1, 2, 3], 60, greedy)];
        Assert.Equal(plain, cached);
        Assert.True(cached.Distinct().Count() > 3, "a model that repeats itself proves nothing");
    }

    [Fact]
    public void Sampling_SameSeed_SameText_OtherSeed_OtherText()
    {
        using CpuBackend backend = new(2);
        using Decoder model = TestModels.Spread(backend, TestModels.Tiny);
        int[] Draw(ulong seed) =>
            [.. new Generator(backend, model).Generate([5], 40, new SamplingOptions { Temperature = 1, Seed = seed })];
        Assert.Equal(Draw(1), Draw(1));
        Assert.NotEqual(Draw(1), Draw(2));
    }

    [Theory]
    [InlineData(0f)]
    [InlineData(5f)]
    public void Generate_WritableIdsOnly_WritesNoOther(float temperature)
    {
        using CpuBackend backend = new(1);
        using Decoder model = TestModels.Spread(backend, TestModels.Tiny);
        SamplingOptions options = new() { Temperature = temperature };
        int[] few = [.. new Generator(backend, model) { Writable = [2, 3, 7, 11] }.Generate([5], 100, options)];
        Assert.All(few, id => Assert.Contains(id, (int[])[2, 3, 7, 11]));
        int[] all = [.. Enumerable.Range(0, TestModels.Tiny.Model.Vocabulary)];
        Assert.Equal(
            new Generator(backend, model).Generate([5], 20, options),
            new Generator(backend, model) { Writable = all }.Generate([5], 20, options));
    }

    [Fact]
    public void Generate_ReturnsItsMemory_AndPromptMayBeLongerThanTheContext()
    {
        using CpuBackend backend = new(1);
        using Decoder model = TestModels.Spread(backend, TestModels.Tiny);
        int before = backend.Pool.LiveBuffers;
        Assert.Equal(10, new Generator(backend, model).Generate(TestModels.Ids(50, 29), 10, new SamplingOptions()).Count());
        Assert.Equal(before, backend.Pool.LiveBuffers);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("noisy")]
    [InlineData("switch-head")]
    [InlineData("latent")]
    public void Generate_AfterTheFirstToken_NoPoolMiss(string name)
    {
        using CpuBackend backend = new(2);
        using Decoder model = TestModels.Spread(backend, TestModels.Named(name));
        List<long> misses = [];
        foreach (int _ in new Generator(backend, model).Generate([1, 2], 13, new SamplingOptions()))
            misses.Add(backend.Pool.Misses);
        Assert.Equal(misses[1], misses[^1]); // the first token computes the prompt, the second the first single position
    }

    [Fact]
    public void Generate_FromWeightsThatAreNotFinite_IsAClearError()
    {
        using CpuBackend backend = new(1);
        using Decoder model = TestModels.Spread(backend, TestModels.Tiny);
        backend.Affine(model.Parameters.Weights.All, float.NaN, 0f, model.Parameters.Weights.All.Length, model.Parameters.Weights.All);
        string error = OneLine.Of(() => _ = new Generator(backend, model).Generate([1, 2], 3, new SamplingOptions()).ToArray());
        Assert.StartsWith("The model's logits are not finite", error, StringComparison.Ordinal);
    }
}
