using TinyMoE.Backends;
using TinyMoE.Backends.Cases;
using TinyMoE.Configuration;
using TinyMoE.Cuda;
using TinyMoE.Models;
using TinyMoE.Tests.Moe;

namespace TinyMoE.Tests.Cuda;

/// <summary>Products of experts that read each row where its token is, beside those of rows that were moved: the same bits.</summary>
[Collection(CudaCollection.Name)]
public sealed class GatheredProductsTests
{
    private static readonly Dictionary<TensorCores, CudaBackend> Backends = [];

    private static readonly CudaOptions Own = new() { Grouped = GroupedProducts.Own };

    public static TheoryData<string> Routers => [.. RouterModels.All];

    [CudaTheory]
    [MemberData(nameof(Routers))]
    public void Step_OfEveryRouter_HasTheBitsOfMovedRows(string router) => AssertSameBits(RouterModels.Of(router), TensorCores.Off);

    [CudaTheory]
    [MemberData(nameof(Routers))]
    public void Step_OfEveryRouterWithAllNoiseAndDropping_HasTheBitsOfMovedRows(string router) =>
        AssertSameBits(RouterModels.Of(router).WithEverythingOfTraining(), TensorCores.Off);

    [CudaTheory]
    [InlineData("mixtral-tiny")]
    [InlineData("switch-tiny")]
    [InlineData("switch-head")]
    [InlineData("gpt-oss")]
    [InlineData("bfloat16")]
    public void Step_InEveryPrecision_HasTheBitsOfMovedRows(string name)
    {
        RunConfig config = TrainingTests.Small(TestModels.Named(name));
        foreach (TensorCores kind in Enum.GetValues<TensorCores>())
            AssertSameBits(config, kind);
        AssertSameBits(config.InBfloat16(), TensorCores.Off);
    }

    /// <summary>Of a training step every gradient, and the logits of inference.</summary>
    private static void AssertSameBits(RunConfig config, TensorCores kind)
    {
        if (config.Model.Vocabulary == 0)
            config = config.WithVocabulary(31);
        CudaBackend cuda = Backend(kind);
        int[] ids = TestModels.Ids(2 * config.Model.Context, config.Model.Vocabulary);
        float[][] bits = [.. new[] { true, false }.Select(moves =>
        {
            cuda.MovesRows = moves;
            using Decoder model = new(cuda, config);
            float[] gradients = RouterModels.Gradients(cuda, model, ids, B: 2, parts: 1);
            return (float[])[.. gradients, .. RouterModels.Logits(cuda, model, ids, B: 2)];
        })];
        Assert.Contains(bits[0], value => value != 0);
        Assert.Equal(bits[0], bits[1]);
        TestDevice.RequireNoFinding();
    }

    private static CudaBackend Backend(TensorCores kind)
    {
        if (!Backends.TryGetValue(kind, out CudaBackend? cuda))
            Backends.Add(kind, cuda = TestDevice.NewBackend("", Own with { TensorCores = kind }));
        if (TestDevice.IsEmulated)
            Emulator.Configure("");
        return cuda;
    }
}
