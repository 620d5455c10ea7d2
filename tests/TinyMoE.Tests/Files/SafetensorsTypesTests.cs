using System.Runtime.InteropServices;
using TinyMoE.Files;

namespace TinyMoE.Tests.Files;

public sealed class SafetensorsTypesTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Theory]
    [InlineData("BOOL", 3)]
    [InlineData("U8", 3)]
    [InlineData("I8", 3)]
    [InlineData("I16", 6)]
    [InlineData("U16", 6)]
    [InlineData("I32", 12)]
    [InlineData("U32", 12)]
    [InlineData("I64", 24)]
    [InlineData("U64", 24)]
    [InlineData("F16", 6)]
    [InlineData("BF16", 6)]
    [InlineData("F32", 12)]
    [InlineData("F64", 24)]
    [InlineData("C64", 24)]
    [InlineData("F8_E4M3", 3)]
    [InlineData("F8_E5M2", 3)]
    [InlineData("F8_E8M0", 3)]
    [InlineData("F8_E4M3FNUZ", 3)]
    [InlineData("F8_E5M2FNUZ", 3)]
    [InlineData("F6_E2M3", 9, 12)]
    [InlineData("F6_E3M2", 9, 12)]
    [InlineData("F4", 3, 6)]
    public void EveryType_HasItsNameAndSize_AndIsRefusedOnlyWhenItIsAskedFor(string dtype, int bytes, int count = 3)
    {
        string path = folder.Write("a.safetensors", SafetensorsBytes.Of(
            SafetensorsBytes.Zeros("t", dtype, bytes, count, 1), SafetensorsBytes.Zeros("w", "F32", 4, 1)));
        using SafetensorsReader reader = SafetensorsReader.Open(path);
        SafetensorsEntry entry = reader.Tensors["t"];
        float[] values = new float[count];

        Assert.Equal((dtype, count, bytes), (entry.Type.NameOf(), (int)entry.Count, (int)entry.Bytes));
        Assert.True(entry.ElementBytes is 1 or 2 or 4 or 8);
        reader.Read("w", [1], new float[1]);
        if (entry.Type.IsOfWeights())
            reader.Read("t", [count, 1], values);
        else
            Assert.Contains($"t is kept in {dtype}, and weights are read from F32", OneLine.Of(() => reader.Read("t", [count, 1], values)));
    }

    [Fact]
    public void EveryType_IsInTheListAbove() =>
        Assert.Equal(22, Enum.GetValues<SafetensorsType>().Select(type => type.NameOf()).Distinct().Count());

    [Theory]
    [InlineData("BF16")]
    [InlineData("F16")]
    [InlineData("F8_E4M3")]
    public void Read_OfFewBits_WidensAnyLengthInPlace(string dtype)
    {
        int size = dtype == "F8_E4M3" ? 1 : 2;
        foreach (int n in (int[])[1, 15, 16, 17, 31, 32, 33, 64, 100, 1027])
        {
            byte[] bytes = new byte[n * size];
            new Random(n).NextBytes(bytes);
            string path = folder.Write("a.safetensors", SafetensorsBytes.Of(new SafetensorsBytes.Item("t", dtype, [n], bytes)));
            using SafetensorsReader reader = SafetensorsReader.Open(path);
            float[] values = new float[n];
            reader.Read("t", [n], values);
            for (int i = 0; i < n; i++)
                Assert.Equal(Naive(dtype, bytes, i), values[i]);
        }
    }

    [Fact]
    public void Read_OfBytes_GivesThemAsTheyAre()
    {
        byte[] bytes = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        string path = folder.Write("a.safetensors", SafetensorsBytes.Of(new SafetensorsBytes.Item("t", "U8", [16, 16], bytes)));
        using SafetensorsReader reader = SafetensorsReader.Open(path);
        byte[] part = new byte[7];
        reader.Read(reader.Tensors["t"], 100, part);
        Assert.Equal(bytes[100..107], part);
        Assert.Throws<ArgumentOutOfRangeException>(() => reader.Read(reader.Tensors["t"], 250, part));
        Assert.Throws<ArgumentException>(() => reader.Read(reader.Tensors["t"], 0, new ushort[3]));
    }

    private static float Naive(string dtype, byte[] bytes, int i) => dtype switch
    {
        "BF16" => BitConverter.Int32BitsToSingle(MemoryMarshal.Cast<byte, short>(bytes)[i] << 16),
        "F16" => (float)MemoryMarshal.Cast<byte, Half>(bytes)[i],
        _ => TinyMoE.Tests.Memory.NarrowFloatsTests.Float8Value(bytes[i]),
    };
}
