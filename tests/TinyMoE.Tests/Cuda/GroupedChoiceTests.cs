using TinyMoE.App;
using TinyMoE.Configuration;
using TinyMoE.Cuda;
using TinyMoE.Tests.Cuda.Budget;
using TinyMoE.Tests.Files;
using Product = TinyMoE.Cuda.Product;

namespace TinyMoE.Tests.Cuda;

/// <summary>What multiplies for experts where nobody says: by sizes alone, as paper has it.</summary>
public sealed class GroupedChoiceTests
{
    /// <summary>Small products are our own's, up to a size for each way to use tensor cores.</summary>
    [Theory]
    [InlineData(TensorCores.Off, false, 8 * 512, 256, 512, true)]
    [InlineData(TensorCores.Off, false, 8 * 512, 512, 256, true)]
    [InlineData(TensorCores.Off, false, 8 * 513, 256, 512, false)]
    [InlineData(TensorCores.Off, true, 8 * 2048, 1024, 512, true)]
    [InlineData(TensorCores.Off, true, 8 * 2049, 1024, 512, false)]
    [InlineData(TensorCores.Tf32, false, 8 * 2048, 512, 512, true)]
    [InlineData(TensorCores.Tf32, false, 8 * 2049, 512, 512, false)]
    [InlineData(TensorCores.Bfloat16, false, 8 * 2048, 1024, 512, true)]
    [InlineData(TensorCores.Bfloat16, false, 8 * 2049, 1024, 512, false)]
    public void IsOwn_OfAuto_DependsOnTheMeanSize(TensorCores cores, bool isNarrow, int N, int inputs, int outputs, bool isOwn)
    {
        CudaOptions options = new() { TensorCores = cores };
        Assert.Equal(isOwn, GroupedChoice.IsOwn(options, isNarrow, E: 8, N, inputs, outputs));
        Assert.True(GroupedChoice.IsOwn(options with { Graph = GraphUse.On }, isNarrow, E: 8, N, inputs, outputs));
        Assert.True(GroupedChoice.IsOwn(options with { Grouped = GroupedProducts.Own }, isNarrow, E: 8, N, inputs, outputs));
        Assert.False(GroupedChoice.IsOwn(options with { Grouped = GroupedProducts.Cublas }, isNarrow, E: 8, N, inputs, outputs));
        Assert.False(GroupedChoice.IsOwn(options with { Grouped = GroupedProducts.Loop }, isNarrow, E: 8, N, inputs, outputs));
    }

    /// <summary>Above that cuBLAS, in one call or in a call each; what is asked for is what is taken.</summary>
    [Theory]
    [InlineData(TensorCores.Off, false, 512, false, GroupedProducts.Own)]
    [InlineData(TensorCores.Off, false, 1024, false, GroupedProducts.Cublas)]
    [InlineData(TensorCores.Off, false, 1 << 14, false, GroupedProducts.Loop)]
    [InlineData(TensorCores.Tf32, false, 1 << 13, false, GroupedProducts.Cublas)]
    [InlineData(TensorCores.Tf32, false, 1 << 13, true, GroupedProducts.Loop)]
    [InlineData(TensorCores.Off, true, 1 << 14, false, GroupedProducts.Loop)]
    public void Of_Auto_DependsOnTheMeanSize(TensorCores cores, bool isNarrow, int rows, bool isUneven, GroupedProducts expected)
    {
        CudaOptions options = new() { TensorCores = cores };
        Assert.Equal(expected, GroupedChoice.Of(options, isNarrow, E: 8, 8 * rows, 256, 512, isUneven));
        foreach (GroupedProducts asked in Enum.GetValues<GroupedProducts>().Where(asked => asked != GroupedProducts.Auto))
            Assert.Equal(asked, GroupedChoice.Of(options with { Grouped = asked }, isNarrow, E: 8, 8 * rows, 256, 512, isUneven));
    }

    [Fact]
    public void IsOwn_OfNoExpertsOrRows_IsSmall()
    {
        Assert.True(GroupedChoice.IsOwn(new CudaOptions(), false, E: 0, N: 0, inputs: 4, outputs: 4));
        Assert.False(GroupedChoice.IsOwn(new CudaOptions(), false, E: 1, N: int.MaxValue, inputs: int.MaxValue, outputs: int.MaxValue));
    }

    /// <summary>The models of the presets are small: by default their steps wait for no router.</summary>
    [Fact]
    public void IsOwn_OfEveryPreset_ByDefault()
    {
        foreach (Preset preset in Presets.All)
        {
            RunConfig config = preset.Config.WithVocabulary(256);
            foreach (BudgetMode mode in BudgetMode.All.Where(mode => mode.Grouped == GroupedProducts.Auto))
            {
                StepBudget budget = StepBudget.Of(config, Card.Get("h100"), mode);
                Assert.True(budget.Waits == 1, $"{preset.Name} {mode.Name}: {budget.Waits} waits");
            }
        }
    }

    /// <summary>A step of one layer, of a size a quarter and four times the table's: by paper the choice is the faster one.</summary>
    [Theory]
    [InlineData("float32", 1024, 256, 512)]
    [InlineData("tf32-attention", 4096, 512, 512)]
    [InlineData("bfloat16", 4096, 1024, 512)]
    public void MostWorkOfOwn_IsWherePaperHasIt(string mode, int tokens, int width, int hidden)
    {
        foreach ((int factor, bool isOwn) in ((int, bool)[])[(-4, true), (4, false)])
        {
            int T = factor < 0 ? tokens / -factor : tokens * factor;
            RunConfig bench = Presets.Get("bench").WithVocabulary(256);
            RunConfig config = bench with
            {
                Model = bench.Model with { Width = width, Layers = 1, Context = T },
                Moe = bench.Moe with { Hidden = hidden, Experts = 8, Active = 2 },
                Train = bench.Train with { Batch = 4, Accumulation = 1 },
            };
            double Milliseconds(GroupedProducts grouped) => StepBudget.Of(
                config, Card.Get("h100"), BudgetMode.Get(mode) with { Grouped = grouped, Graph = true }).Milliseconds;
            double own = Milliseconds(GroupedProducts.Own);
            double cublas = Math.Min(Milliseconds(GroupedProducts.Cublas), Milliseconds(GroupedProducts.Loop));
            Assert.True(own < cublas == isOwn, $"{mode}, {T} tokens: {own:F2} ms by our own, {cublas:F2} by cuBLAS");
            Assert.InRange(Milliseconds(GroupedProducts.Auto), 0, 1.1 * Math.Min(own, cublas));
        }
    }

    /// <summary>Large ones go by themselves: from 4.3 GFLOP on; in TF32, where an inner size is no multiple of 4, from 0.54 on.</summary>
    [Theory]
    [InlineData(TensorCores.Off, 2047, 1024, 1024, true)]
    [InlineData(TensorCores.Off, 2048, 1024, 1024, false)]
    [InlineData(TensorCores.Tf32, 2047, 1024, 1024, true)]
    [InlineData(TensorCores.Tf32, 2048, 1024, 1024, false)]
    [InlineData(TensorCores.Tf32, 512, 511, 1023, true)]
    [InlineData(TensorCores.Tf32, 512, 512, 1025, false)]
    [InlineData(TensorCores.Off, 512, 512, 1025, true)]
    public void GoTogether_DependsOnTheMeanSize(TensorCores tensorCores, int rows, int columns, int inner, bool together)
    {
        Product product = new(0, false, 0, false, 0, false, rows, columns, inner), none = product with { Rows = 0 };
        CudaOptions options = new() { TensorCores = tensorCores };
        Assert.Equal(together, GroupedChoice.GoTogether([product, product], options));
        Assert.Equal(together, GroupedChoice.GoTogether([product with { Rows = 2 * rows }, none], options));
        Assert.True(GroupedChoice.GoTogether([product, product], options with { Grouped = GroupedProducts.Cublas }));
        Assert.False(GroupedChoice.GoTogether([product, product], options with { Grouped = GroupedProducts.Own }));
        Assert.False(GroupedChoice.GoTogether([product], options));
    }

    [Theory]
    [InlineData(GroupedProducts.Cublas)]
    [InlineData(GroupedProducts.Loop)]
    public void RequireToTrain_AsAGraphWithProductsThatWait_IsRefusedAtOnce(GroupedProducts grouped)
    {
        DeviceChoice device = new(Card: 0, Grouped: grouped, Graph: GraphUse.On);
        string error = OneLine.Of(() => device.RequireToTrain(TestModels.Tiny));
        Assert.Equal(
            $"--graph on and --grouped {(grouped == GroupedProducts.Loop ? "loop" : "cublas")} exclude each other: cuBLAS needs the rows "
            + "of each expert on the host, which a graph does not wait for; leave --grouped out, or use --graph auto.", error);
        device.RequireToTrain(TestModels.Tiny with { Moe = new MoeConfig { Experts = 0 } });
        (device with { Graph = GraphUse.Auto }).RequireToTrain(TestModels.Tiny);
        (device with { Grouped = GroupedProducts.Auto }).RequireToTrain(TestModels.Tiny);
    }
}
