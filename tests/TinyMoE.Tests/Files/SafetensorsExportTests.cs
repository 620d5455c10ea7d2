using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using TinyMoE.Files;

namespace TinyMoE.Tests.Files;

public sealed class SafetensorsExportTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Write_WhatFitsIntoOneFile_IsOneFileWithoutAnIndex()
    {
        IReadOnlyList<string> names = SafetensorsExport.Write(folder.Root, [Tensor("b", SafetensorsType.Float32, 2, 3), Tensor("a", 0, 5)]);
        Assert.Equal(["model.safetensors"], names);
        using SafetensorsFolder weights = SafetensorsFolder.Open(folder.Root);
        Assert.Equal(["a", "b"], weights.Tensors.Keys);
        Assert.Equal("pt", weights.MetadataOf(weights.Tensors["a"])["format"]);
    }

    [Theory]
    [InlineData(SafetensorsType.Float32)]
    [InlineData(SafetensorsType.Bfloat16)]
    [InlineData(SafetensorsType.Float16)]
    public void Write_SeveralShards_ReadsBackRounded(SafetensorsType type)
    {
        ExportTensor[] tensors =
        [
            Tensor("embed", type, 300, 1000), Tensor("norm", SafetensorsType.Float32, 7), Tensor("empty", type, 0, 4),
            Tensor("scalar", type), Tensor("head", type, 1000, 301),
        ];
        long limit = 1_000_000;
        IReadOnlyList<string> names = SafetensorsExport.Write(folder.Root, tensors, limit);
        Assert.Equal("model.safetensors.index.json", names[^1]);
        Assert.Equal(
            Enumerable.Range(1, names.Count - 1).Select(i => $"model-{i:00000}-of-{names.Count - 1:00000}.safetensors"), names.SkipLast(1));
        JsonNode index = JsonNode.Parse(File.ReadAllText(folder[names[^1]]))!;

        using SafetensorsFolder weights = SafetensorsFolder.Open(folder.Root);
        Assert.Equal(weights.Bytes, index["metadata"]!["total_size"]!.GetValue<long>());
        foreach (ExportTensor tensor in tensors)
        {
            SafetensorsEntry entry = weights.Find(tensor.Name, [.. tensor.Shape]);
            Assert.Equal(tensor.Type, entry.Type);
            float[] expected = new float[entry.Count], actual = new float[entry.Count];
            tensor.Values(0, expected);
            weights.Read(entry, 0, actual);
            Assert.Equal(expected.Select(value => Rounded(value, tensor.Type)), actual);
        }
    }

    [Fact]
    public void Write_AFile_HasWiderTypesFirst_ThenNames_FromAMultipleOfEight()
    {
        SafetensorsExport.Write(folder.Root,
        [
            Tensor("b", SafetensorsType.Float16, 3), Tensor("z", SafetensorsType.Float32, 1), Tensor("c", SafetensorsType.Bfloat16, 3),
            Tensor("a", SafetensorsType.Bfloat16, 3), Tensor("B", SafetensorsType.Bfloat16, 1), Tensor("y", SafetensorsType.Float32, 1),
        ]);
        byte[] bytes = File.ReadAllBytes(folder["model.safetensors"]);
        long header = BinaryPrimitives.ReadInt64LittleEndian(bytes);
        Assert.Equal(0, header % 8);
        Assert.StartsWith("{\"__metadata__\":{\"format\":\"pt\"},\"y\":{\"dtype\":\"F32\"", Encoding.UTF8.GetString(bytes, 8, (int)header));
        using SafetensorsReader reader = SafetensorsReader.Open(folder["model.safetensors"]);
        Assert.Equal(["y", "z", "B", "a", "c", "b"], reader.Tensors.Values.OrderBy(entry => entry.Begin).Select(entry => entry.Name));
    }

    [Fact]
    public void Write_ATensorLargerThanAShard_HasOneOfItsOwn()
    {
        ExportTensor[] tensors = [Tensor("a", 0, 10), Tensor("b", 0, 1000), Tensor("c", 0, 10), Tensor("d", 0, 10)];
        SafetensorsExport.Write(folder.Root, tensors, 80);
        using SafetensorsFolder weights = SafetensorsFolder.Open(folder.Root);
        Assert.Equal(
            ["a", "b", "c d"], weights.Tensors.Values.GroupBy(weights.FileOf).OrderBy(file => file.Key)
                .Select(file => string.Join(' ', file.Select(entry => entry.Name))));
    }

    [Theory]
    [InlineData(SafetensorsType.Float16, 65505f, "The tensor w holds a value that is too large for float16, which ends at 65504")]
    [InlineData(SafetensorsType.Float16, -1e5f, "too large for float16")]
    [InlineData(SafetensorsType.Bfloat16, float.MaxValue, "too large for bfloat16")]
    [InlineData(SafetensorsType.Float32, float.NaN, "The tensor w holds values that are not finite")]
    [InlineData(SafetensorsType.Bfloat16, float.PositiveInfinity, "not finite")]
    public void Write_WhatTheTypeCannotHold_NamesTheTensor(SafetensorsType type, float value, string expected)
    {
        ExportTensor tensor = new("w", [300_000], type, (first, values) =>
        {
            values.Clear();
            if (first > 0)
                values[^1] = value;
        });
        string said = OneLine.Of(() => AtomicFolder.Replace(folder["model"], fill => SafetensorsExport.Write(fill, [tensor])));
        Assert.Contains(expected, said);
        Assert.False(Directory.Exists(folder["model"]));
    }

    [Fact]
    public void Write_TheLargestOfFloat16_IsKept()
    {
        SafetensorsExport.Write(folder.Root, [new ExportTensor("w", [2], SafetensorsType.Float16, (_, values) =>
        {
            values[0] = 65504f;
            values[1] = -65504f;
        })]);
        using SafetensorsFolder weights = SafetensorsFolder.Open(folder.Root);
        float[] values = new float[2];
        weights.Read(weights.Tensors["w"], 0, values);
        Assert.Equal([65504f, -65504f], values);
    }

    [Fact]
    public void Write_OneNameTwiceOrAFileThatIsThere_IsRefused()
    {
        Assert.Throws<ArgumentException>(() => SafetensorsExport.Write(folder.Root, [Tensor("a", 0, 1), Tensor("a", 0, 1)]));
        SafetensorsExport.Write(folder.Root, [Tensor("a", 0, 1)]);
        Assert.Contains("model.safetensors", OneLine.Of(() => SafetensorsExport.Write(folder.Root, [Tensor("a", 0, 1)])));
    }

    [Theory]
    [InlineData("5GB", 5_000_000_000)]
    [InlineData("500MB", 500_000_000)]
    [InlineData("1.5 GiB", 1_610_612_736)]
    [InlineData("10kb", 10_000)]
    [InlineData("7B", 7)]
    [InlineData("2TB", 2_000_000_000_000)]
    public void Size_OfAText_IsItsBytes(string text, long bytes) => Assert.Equal(bytes, TinyMoE.Memory.Size.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("GB")]
    [InlineData("5")]
    [InlineData("-5GB")]
    [InlineData("0MB")]
    [InlineData("0.1B")]
    [InlineData("1e3GB")]
    [InlineData("99999999999999TB")]
    [InlineData("79000000000000000000000000000TB")]
    [InlineData("5\nGB\u001b")]
    [InlineData("5,5GB")]
    public void Size_OfAnotherText_IsRefused(string text) => Assert.Contains("as 5GB", OneLine.Of(() => TinyMoE.Memory.Size.Parse(text)));

    private static ExportTensor Tensor(string name, SafetensorsType type, params int[] shape) => new(name, shape, type, (first, values) =>
    {
        for (int i = 0; i < values.Length; i++)
            values[i] = (float)Math.Sin(0.37 * (first + i) + name.Length);
    });

    private static float Rounded(float value, SafetensorsType type) => type switch
    {
        SafetensorsType.Bfloat16 => TinyMoE.Memory.Bfloat16.Widen(TinyMoE.Memory.Bfloat16.Narrow(value)),
        SafetensorsType.Float16 => (float)(Half)value,
        _ => value,
    };
}
