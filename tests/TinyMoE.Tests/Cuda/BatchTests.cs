using TinyMoE.Cuda;
using TinyMoE.Tests.Generate;
using TinyMoE.Tests.Moe;

namespace TinyMoE.Tests.Cuda;

/// <summary>Several texts at once on the device, beside each alone there.</summary>
[Collection(CudaCollection.Name)]
public sealed class BatchTests
{
    public static TheoryData<string> Routers => [.. RouterModels.Causal];

    [EmulatedTheory] // products of a card are cuBLAS's, which may sum few rows in another order than many
    [InlineData("plain")]
    [InlineData("noisy")]
    [InlineData("heads")]
    [InlineData("sinks")]
    [InlineData("bfloat16")]
    [InlineData("switch-head")]
    [InlineData("latent")]
    [InlineData("plain" + TestModels.AllInBfloat16)]
    public void Texts_OfEveryAttention_AreThoseOfEachAlone(string name)
    {
        using CudaBackend cuda = TestDevice.NewBackend();
        BatchTexts.RequireAsAlone(cuda, TestModels.Named(name), [5], more: 2);
        TestDevice.RequireNoFinding();
    }

    [EmulatedTheory]
    [MemberData(nameof(Routers))]
    public void Texts_OfEveryRouter_AreThoseOfEachAlone(string router)
    {
        using CudaBackend cuda = TestDevice.NewBackend();
        BatchTexts.RequireAsAlone(cuda, RouterModels.Of(router), [5], more: 1);
        TestDevice.RequireNoFinding();
    }
}
