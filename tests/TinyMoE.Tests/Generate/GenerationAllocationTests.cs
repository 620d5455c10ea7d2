using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Generate;
using TinyMoE.Models;
using TinyMoE.Tests.Moe;

namespace TinyMoE.Tests.Generate;

/// <summary>Once it goes, generation makes no managed object per token, and asks no memory of the system.</summary>
public sealed class GenerationAllocationTests
{
    private const int WarmUp = 60, Measured = 60, Rounds = 4; // the context of 16 begins again several times in each

    public static TheoryData<string> Models =>
    [
        "plain", "noisy", "switch-head", "heads", "latent", "bfloat16", "sinks", "linear", "dynamic", "llama3", "yarn",
        "plain" + TestModels.AllInBfloat16,
    ];

    public static TheoryData<string> Routers => [.. RouterModels.Causal];

    [Theory]
    [MemberData(nameof(Models))]
    public void Generate_EveryAttention_AllocatesNothingPerToken(string name) =>
        RequireNone(TestModels.Named(name), new SamplingOptions { Temperature = 0 });

    [Theory]
    [MemberData(nameof(Routers))]
    public void Generate_EveryRouter_AllocatesNothingPerToken(string router) =>
        RequireNone(RouterModels.Of(router), new SamplingOptions { Temperature = 0 });

    [Theory]
    [InlineData(1f, 0, 1f, 0f, 1f)]
    [InlineData(0.7f, 5, 0.9f, 0.02f, 1.3f)]
    public void Generate_EverySampling_AllocatesNothingPerToken(float temperature, int topK, float topP, float minP, float penalty)
    {
        SamplingOptions options = new()
        {
            Temperature = temperature, TopK = topK, TopP = topP, MinP = minP, RepetitionPenalty = penalty,
        };
        RequireNone(TestModels.Tiny, options);
        RequireNone(TestModels.Tiny, options, writable: [2, 3, 7, 11, 13, 17]);
    }

    private static void RequireNone(RunConfig config, SamplingOptions options, int[]? writable = null)
    {
        using CpuBackend backend = new(threads: 1); // so that this thread does all of the work
        using Decoder model = new(backend, config, training: false);
        Generator generator = new(backend, model) { Writable = writable, Label = config.Moe.RoutesByLabel ? 1 : null };
        using IEnumerator<int> tokens = generator.Generate([1, 2, 3], WarmUp + (Rounds * Measured), options).GetEnumerator();
        Go(WarmUp);
        long misses = backend.Pool.Misses, least = long.MaxValue;
        for (int round = 0; round < Rounds && least > 0; round++) // the runtime itself may need something once
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            Go(Measured);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(misses, backend.Pool.Misses);
        Assert.Equal(0, least);

        void Go(int count)
        {
            for (int i = 0; i < count; i++)
                Assert.True(tokens.MoveNext());
        }
    }
}
