using TinyMoE.Configuration;
using TinyMoE.Cuda;
using TinyMoE.Data;
using TinyMoE.Tests.Files;
using TinyMoE.Train;

namespace TinyMoE.Tests.Cuda;

/// <summary>
/// What activations in 16 bits save, and rows that nobody moves: bytes that our kernels move in a training step, counted by the emulated
/// device, at a quarter of each size of <c>bench</c>, which has the same share of tokens and weights.
/// </summary>
[Collection(CudaCollection.Name)]
public sealed class NarrowBytesTests(ITestOutputHelper output)
{
    private const string Narrow = "_bfloat16";

    private static readonly CudaOptions Cublas = new() { Grouped = GroupedProducts.Cublas };

    private static readonly CudaOptions Own = new() { Grouped = GroupedProducts.Own };

    [EmulatedFact]
    public void Step_InBfloat16_MovesLittleMoreThanHalfTheBytes()
    {
        Dictionary<string, long> wide = BytesOfStep(Quarter, Cublas), narrow = BytesOfStep(Quarter.InBfloat16(), Cublas);
        string[] hot = [.. narrow.Keys.Where(kernel => kernel.EndsWith(Narrow, StringComparison.Ordinal))];
        long before = hot.Sum(kernel => wide.GetValueOrDefault(kernel[..^Narrow.Length])), after = hot.Sum(kernel => narrow[kernel]);
        foreach (string kernel in hot)
            output.WriteLine($"{kernel}: {narrow[kernel]:N0} of {wide.GetValueOrDefault(kernel[..^Narrow.Length]):N0} bytes");
        Assert.Contains("rms_norm_backward_bfloat16", hot);
        Assert.Contains("combine_backward_bfloat16", hot);
        Assert.InRange((double)after / before, 0.45, 0.55);
    }

    /// <summary>
    /// All of our kernels: in bfloat16 with rows read by token, beside float32 with rows that are moved. AdamW and the gradient's norm are
    /// float32 by design in both; products of experts are cuBLAS's in one float32, and ours in the other.
    /// </summary>
    [EmulatedFact]
    public void Step_InBfloat16WithOwnProducts_BesideFloat32AsItWas()
    {
        Dictionary<string, long> cublas = BytesOfStep(Quarter, Cublas), moved = BytesOfStep(Quarter, Own, moves: true);
        Dictionary<string, long> narrow = BytesOfStep(Quarter.InBfloat16(), Own);
        foreach ((string kernel, long bytes) in narrow.OrderByDescending(kernel => kernel.Value))
            output.WriteLine($"{kernel}: {bytes:N0} bytes");
        Assert.InRange(Ratio("but the optimizer and experts' products", cublas, k => !IsOptimizer(k) && !IsProduct(k)), 0.4, 0.48);
        Assert.InRange(Ratio("but the optimizer", moved, k => !IsOptimizer(k)), 0.4, 0.545);
        Assert.InRange(Ratio("but experts' products", cublas, k => !IsProduct(k)), 0.5, 0.68);
        Assert.InRange(Ratio("without exception", moved, _ => true), 0.5, 0.65);

        double Ratio(string which, Dictionary<string, long> wide, Func<string, bool> counts)
        {
            long before = wide.Where(k => counts(k.Key)).Sum(k => k.Value), after = narrow.Where(k => counts(k.Key)).Sum(k => k.Value);
            output.WriteLine($"all kernels {which}: {after:N0} of {before:N0} bytes, {(double)after / before:F3}");
            return (double)after / before;
        }
    }

    /// <summary>What is not written is not read either: x once per token, and the rows' gradient as ever.</summary>
    [EmulatedTheory]
    [InlineData(false)]
    [InlineData(true)]
    public void Step_WithRowsReadByToken_WritesNoRows(bool inBfloat16)
    {
        RunConfig config = inBfloat16 ? Quarter.InBfloat16() : Quarter;
        Dictionary<string, long> moved = BytesOfStep(config, Own, moves: true), unmoved = BytesOfStep(config, Own);
        string dispatch = inBfloat16 ? "dispatch_forward_bfloat16" : "dispatch_forward";
        Assert.Equal(moved.Keys.Order(), unmoved.Keys.Append(dispatch).Order());
        (long before, long after) = (moved.Values.Sum(), unmoved.Values.Sum());
        output.WriteLine($"{after:N0} of {before:N0} bytes, {before - after:N0} less; {dispatch} moved {moved[dispatch]:N0}");
        Assert.InRange(before - after, (long)(0.8 * moved[dispatch]), moved[dispatch]); // tiles read the token of each row
        foreach (string kernel in unmoved.Keys.Where(kernel => !IsProduct(kernel)))
            Assert.Equal(moved[kernel], unmoved[kernel]);
    }

    private static RunConfig Quarter
    {
        get
        {
            RunConfig config = Presets.Get("bench");
            return config with
            {
                Model = config.Model with { Width = 64, Layers = 2, Context = 64 },
                Attention = config.Attention with { Heads = 2, KvHeads = 1 },
                Moe = config.Moe with { Hidden = 128 },
                Train = config.Train with { EvalEvery = 1000 },
            };
        }
    }

    private static bool IsOptimizer(string kernel) => kernel is "adamw" or "sum_of_squares";

    private static bool IsProduct(string kernel) =>
        kernel.StartsWith("grouped_forward", StringComparison.Ordinal) || kernel.StartsWith("grouped_backward", StringComparison.Ordinal)
        || kernel == "grouped_add_pieces";

    /// <summary>Bytes by kernel of the second step.</summary>
    private static Dictionary<string, long> BytesOfStep(RunConfig config, CudaOptions options, bool moves = false)
    {
        using TemporaryFolder folder = new();
        Corpus corpus = TestModels.Corpus();
        using CudaBackend cuda = TestDevice.NewBackend("count", options);
        cuda.MovesRows = moves;
        string counted = "";
        RecordingListener listener = new()
        {
            Then = step => counted = Emulator.TakeCounters(), // after the first step: what was before
        };
        using Trainer trainer = new(cuda, config.For(corpus), corpus, new RunFolder(folder["a"]), listener);
        trainer.Run(stopAt: 2);
        return KernelBytes.Parse(counted).ToDictionary(kernel => kernel.Name, kernel => kernel.Bytes);
    }
}
