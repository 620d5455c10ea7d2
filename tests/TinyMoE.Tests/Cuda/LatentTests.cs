using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Cuda;
using TinyMoE.Generate;
using TinyMoE.Layers;
using TinyMoE.Models;

namespace TinyMoE.Tests.Cuda;

/// <summary>Generation with latent attention, whose tokens after a cache take another way than a whole sequence.</summary>
[Collection(CudaCollection.Name)]
public sealed class LatentTests
{
    private static readonly SamplingOptions Greedy = new() { Temperature = 0 };

    [CudaFact]
    public void Greedy_WithCache_EqualsWithout_AndTheCpu()
    {
        using CpuBackend cpu = new(2);
        using CudaBackend cuda = TestDevice.NewBackend();
        int[] expected = Text(cpu, useCache: false); // beyond the context of 16
        Assert.Equal(expected, Text(cuda, useCache: true));
        Assert.Equal(expected, Text(cuda, useCache: false));
        Assert.True(expected.Distinct().Count() > 3, "a model that repeats itself proves nothing");
    }

    private static int[] Text(Backend backend, bool useCache)
    {
        using Decoder model = new(backend, TestModels.TinyLatent);
        foreach (Parameter parameter in model.Parameters.All) // large enough for a text that is not one letter
            backend.Affine(parameter.Data, parameter.Decays ? 15f : 1f, 0f, parameter.Count, parameter.Data);
        return [.. new Generator(backend, model, useCache).Generate([1, 2, 3], 24, Greedy)];
    }
}
