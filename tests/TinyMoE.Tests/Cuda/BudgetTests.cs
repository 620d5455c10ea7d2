using TinyMoE.Configuration;
using TinyMoE.Cuda;
using TinyMoE.Data;
using TinyMoE.Models;
using TinyMoE.Optim;
using TinyMoE.Tests.Cuda.Budget;

namespace TinyMoE.Tests.Cuda;

/// <summary>The paper budget of a training step beside what the emulated device counts, and beside what a card was measured at.</summary>
[Collection(CudaCollection.Name)]
public sealed class BudgetTests(ITestOutputHelper output)
{
    /// <summary>Milliseconds of a step on an H200, docs/cuda.md: experts' products, other products, attention, norms, the step.</summary>
    public static TheoryData<string, string, string, double[]> Measured => new()
    {
        { "bench", "float32", nameof(GroupedProducts.Cublas), [3.55, 0.75, 0.74, 0.20, 5.38] },
        { "big", "float32", nameof(GroupedProducts.Loop), [99.8, 52.2, 70.6, 3.6, 235.1] },
        { "big", "tf32", nameof(GroupedProducts.Loop), [18.6, 10.8, 70.5, 3.6, 112.5] },
    };

    [EmulatedTheory]
    [InlineData("mixtral-tiny", GroupedProducts.Cublas)]
    [InlineData("mixtral-tiny", GroupedProducts.Auto)]
    [InlineData("bench", GroupedProducts.Cublas)]
    [InlineData("bench", GroupedProducts.Auto)]
    [InlineData("deepseek-tiny", GroupedProducts.Cublas)]
    [InlineData("deepseek-tiny", GroupedProducts.Auto)]
    public void Launches_OfAStep_AreAsTheDeviceCounts(string name, GroupedProducts grouped)
    {
        Corpus corpus = TestModels.Corpus();
        RunConfig config = TrainingTests.Small(TestModels.Named(name)).For(corpus);
        using CudaBackend cuda = TestDevice.NewBackend("count", new CudaOptions { Grouped = grouped });
        using Decoder model = new(cuda, config);
        AdamW optimizer = new(model.Parameters, config.Train);
        StepCounts.Run(cuda, model, optimizer, config, step: 1);
        (int launches, int products, int waits) = (Emulator.Launches, Emulator.Products, Emulator.Synchronizations);
        _ = KernelBytes.Take();
        StepCounts.Run(cuda, model, optimizer, config, step: 2);
        (launches, products) = (Emulator.Launches - launches, Emulator.Products - products);
        waits = Emulator.Synchronizations - waits;

        StepBudget budget = StepBudget.Of(config, Card.Get("h100"), BudgetMode.Get("float32") with { Grouped = grouped });
        long predicted = budget.Rows.Sum(row => row.Launches), predictedProducts = budget.Rows.Sum(row => row.Products);
        output.WriteLine($"{name}: {launches} launches, {predicted} predicted; {products} products, {predictedProducts} predicted");
        Assert.InRange(predicted, 0.9 * launches, 1.1 * launches);
        Assert.Equal(products, predictedProducts);
        Assert.Equal(waits, budget.Waits - 1); // the trainer's, for the losses
        if (grouped == GroupedProducts.Cublas)
            return;
        KernelBytes[] own = [.. KernelBytes.Take().Where(kernel => kernel.Name.StartsWith("grouped_", StringComparison.Ordinal))];
        BudgetRow row = budget.Rows.Single(row => row.Kind == KernelModel.Experts);
        Assert.Equal(own.Sum(kernel => kernel.Launches), row.Launches);
        double bytes = own.Sum(kernel => kernel.LeastBytes), predictedBytes = 1e9 * row.Gigabytes;
        output.WriteLine($"products of experts: {bytes:N0} bytes at least, {predictedBytes:N0} predicted");
        Assert.InRange(predictedBytes, 0.9 * bytes, 1.1 * bytes);
    }

    [Theory]
    [MemberData(nameof(Measured))]
    public void Prediction_BesideACard_IsNotFarOff(string shape, string mode, string grouped, double[] measured)
    {
        RunConfig config = Shape(shape); // when it was measured, queries, keys and values were a product each
        BudgetMode measuredMode = BudgetMode.Get(mode) with { Grouped = Enum.Parse<GroupedProducts>(grouped) };
        StepBudget budget = StepBudget.Of(StepCounts.Of(config, measuredMode, joins: false), config, Card.Get("h200"), measuredMode);
        string[] kinds = [KernelModel.Experts, KernelModel.Products, KernelModel.Attention, KernelModel.Norms];
        double[] predicted =
            [.. kinds.Select(kind => budget.Rows.Single(row => row.Kind == kind).Milliseconds), budget.Milliseconds];
        for (int i = 0; i < predicted.Length; i++)
        {
            string what = i < kinds.Length ? kinds[i] : "step";
            output.WriteLine($"{shape} {mode}: {what} {predicted[i]:F2} ms predicted, {measured[i]:F2} measured");
            Assert.InRange(predicted[i], measured[i] / 1.6, 1.6 * measured[i]);
        }
    }

    [Theory]
    [InlineData("bench")]
    [InlineData("big")]
    public void Prediction_OfAllInBfloat16_IsAtMostHalfOfBfloat16Experts(string shape)
    {
        double Milliseconds(string mode) => StepBudget.Of(Shape(shape), Card.Get("h100"), BudgetMode.Get(mode)).Milliseconds;
        double before = Milliseconds("bfloat16-experts"), now = Math.Min(Milliseconds("bfloat16"), Milliseconds("bfloat16-own"));
        Assert.InRange(now, 0, before / 2);
    }

    [Fact]
    public void Modes_OnEveryCard_ArePredicted()
    {
        RunConfig config = Shape("bench");
        foreach (Card card in Card.All)
        {
            foreach (BudgetMode mode in BudgetMode.All)
            {
                StepBudget budget = StepBudget.Of(config, card, mode);
                Assert.InRange(budget.Milliseconds, 0.5, 50);
                Assert.All(budget.Rows, row => Assert.True(double.IsFinite(row.Milliseconds) && row.Milliseconds > 0, row.Kind));
            }
        }
    }

    [Fact]
    public void UnknownNames_AreErrorsThatListTheKnown()
    {
        Assert.Contains("known: h100, h200", Assert.Throws<TinyMoEException>(() => Card.Get("h300")).Message, StringComparison.Ordinal);
        Assert.Contains("known: float32, tf32", Assert.Throws<TinyMoEException>(() => BudgetMode.Get("int8")).Message,
            StringComparison.Ordinal);
    }

    private static RunConfig Shape(string name)
    {
        RunConfig bench = Presets.Get("bench").WithVocabulary(256);
        return name == "bench" ? bench : bench with
        {
            Model = bench.Model with { Width = 1024, Layers = 8, Context = 1024 },
            Attention = bench.Attention with { Heads = 16, KvHeads = 8 },
            Moe = bench.Moe with { Hidden = 1024 },
            Train = bench.Train with { Batch = 16 },
        };
    }
}
