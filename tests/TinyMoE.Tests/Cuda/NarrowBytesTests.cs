using System.Text.Json;
using TinyMoE.Configuration;
using TinyMoE.Cuda;
using TinyMoE.Data;
using TinyMoE.Tests.Files;
using TinyMoE.Train;

namespace TinyMoE.Tests.Cuda;

/// <summary>What activations in 16 bits save: bytes that our kernels move in a training step, counted by the emulated device.</summary>
[Collection(CudaCollection.Name)]
public sealed class NarrowBytesTests(ITestOutputHelper output)
{
    private const string Narrow = "_bfloat16";

    [EmulatedFact]
    public void Step_InBfloat16_MovesLittleMoreThanHalfTheBytes()
    {
        RunConfig config = Presets.Get("bench");
        config = config with
        {
            Model = config.Model with { Width = 128, Layers = 2, Context = 32 },
            Attention = config.Attention with { Heads = 4, KvHeads = 2 },
            Moe = config.Moe with { Hidden = 160 },
            Train = config.Train with { Batch = 2, Accumulation = 1, EvalEvery = 1000 },
        };
        Dictionary<string, long> wide = BytesOfStep(config), narrow = BytesOfStep(config.InBfloat16());
        string[] hot = [.. narrow.Keys.Where(kernel => kernel.EndsWith(Narrow, StringComparison.Ordinal))];
        long before = hot.Sum(kernel => wide.GetValueOrDefault(kernel[..^Narrow.Length])), after = hot.Sum(kernel => narrow[kernel]);
        foreach (string kernel in hot)
            output.WriteLine($"{kernel}: {narrow[kernel]:N0} of {wide.GetValueOrDefault(kernel[..^Narrow.Length]):N0} bytes");
        output.WriteLine($"these: {(double)after / before:F3}; all kernels: {(double)narrow.Values.Sum() / wide.Values.Sum():F3}");
        Assert.Contains("rms_norm_backward_bfloat16", hot);
        Assert.Contains("combine_backward_bfloat16", hot);
        Assert.InRange((double)after / before, 0.45, 0.55);
    }

    /// <summary>Bytes by kernel of the second step.</summary>
    private static Dictionary<string, long> BytesOfStep(RunConfig config)
    {
        using TemporaryFolder folder = new();
        Corpus corpus = TestModels.Corpus();
        using CudaBackend cuda = TestDevice.NewBackend("count");
        string counted = "";
        RecordingListener listener = new()
        {
            Then = step => counted = Emulator.TakeCounters(), // after the first step: what was before
        };
        using Trainer trainer = new(cuda, config.For(corpus), corpus, new RunFolder(folder["a"]), listener);
        trainer.Run(stopAt: 2);
        using JsonDocument document = JsonDocument.Parse(counted);
        return document.RootElement.EnumerateArray().GroupBy(k => k.GetProperty("kernel").GetString()!).ToDictionary(
            group => group.Key,
            group => group.Sum(k => k.GetProperty("bytesRead").GetInt64() + k.GetProperty("bytesWritten").GetInt64()));
    }
}
