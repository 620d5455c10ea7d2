using TinyMoE.Backends.Cpu;
using TinyMoE.Families;
using TinyMoE.Files;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Models;
using TinyMoE.Tests.Files;
using TinyMoE.Tests.Layers;

namespace TinyMoE.Tests.Families;

/// <summary>Models in the files of others, in 16 bits and in shards: read where they lie, each expert for itself.</summary>
[Collection(AloneCollection.Name)]
public sealed class HubNarrowTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData(SafetensorsType.Float16, ElementType.Float16)]
    [InlineData(SafetensorsType.Bfloat16, ElementType.Bfloat16)]
    [InlineData(SafetensorsType.Float32, ElementType.Float32)]
    public void AModelInShards_IsReadInPlace_AndComputesWhatItsWidenedValuesDo(SafetensorsType type, ElementType kept)
    {
        using CpuBackend backend = new(2);
        using Decoder model = new(backend, TestModels.Tiny);
        string narrow = Export("narrow", new StoredWeights(model.Parameters), type);
        using HubModel opened = HubModel.Open(narrow);
        using Decoder inPlace = opened.LoadModel(backend);
        Assert.True(opened.Files.Files.Count > 2);
        Assert.Contains(inPlace.Parameters.All, p => p.Part == ModelPart.Experts && p.Weights.LieApart);
        foreach (Parameter parameter in inPlace.Parameters.All.Where(p => p.Decays && p.Part != ModelPart.Router))
            Assert.Equal((true, kept), (parameter.IsMapped, parameter.Precision));

        string wide = Export("wide", opened.Weights, SafetensorsType.Float32); // widened, exactly
        using HubModel copy = HubModel.Open(wide);
        using Decoder inFloat32 = copy.LoadModel(backend);
        int[] ids = TestModels.Ids(16, TestModels.Tiny.Model.Vocabulary);
        Assert.Equal(TestModels.Logits(backend, inFloat32, ids, B: 1), TestModels.Logits(backend, inPlace, ids, B: 1));

        string again = Export("again", opened.Weights, type: null); // as they are kept
        foreach (string path in Directory.GetFiles(narrow, "*.safetensors"))
            Assert.Equal(File.ReadAllBytes(path), File.ReadAllBytes(Path.Combine(again, Path.GetFileName(path))));
    }

    private string Export(string name, IWeightSource source, SafetensorsType? type)
    {
        string path = Directory.CreateDirectory(folder[name]).FullName;
        HubExport.Of(TestModels.Tiny, "mixtral").Write(path, source, new GenerationDefaults(), type, shardSize: 10_000);
        return path;
    }
}
