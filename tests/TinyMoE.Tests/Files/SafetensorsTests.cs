using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using TinyMoE.Files;

namespace TinyMoE.Tests.Files;

public sealed class SafetensorsTests : IDisposable
{
    private readonly TemporaryFolder folder = new();

    public void Dispose() => folder.Dispose();

    [Fact]
    public void Write_TwoTensorsAndMetadata_ReadsBackTheSame()
    {
        string path = WriteSmall();

        using SafetensorsReader reader = SafetensorsReader.Open(path);
        float[] matrix = new float[6], scalar = new float[1];
        reader.Read("m", [2, 3], matrix);
        reader.Read("deep.name \"é\"", [], scalar);

        Assert.Equal([1f, 2, 3, 4, 5, float.NegativeInfinity], matrix);
        Assert.Equal([-0.5f], scalar);
        Assert.Equal(["m", "deep.name \"é\"", "empty"], reader.Tensors.Keys);
        Assert.Equal("7", reader.Metadata["step"]);
    }

    [Fact]
    public void Write_OneTensor_IsTheFormatToTheByte()
    {
        string path = folder["a.safetensors"];
        SafetensorsWriter.Write(path, [new SafetensorsItem("w", [2], () => new float[] { 1, 2 })]);

        string header = "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}".PadRight(56);
        byte[] expected = [56, 0, 0, 0, 0, 0, 0, 0, .. Encoding.UTF8.GetBytes(header), 0, 0, 0x80, 0x3F, 0, 0, 0, 0x40];
        Assert.Equal(expected, File.ReadAllBytes(path));
    }

    [Fact]
    public void Write_ValuesOfAnotherCountOrTheSameNameTwice_IsRefused()
    {
        string path = folder["a.safetensors"];
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(path, [new SafetensorsItem("w", [3], () => new float[2])]));
        Assert.Throws<ArgumentException>(() => SafetensorsWriter.Write(path,
            [new SafetensorsItem("w", [1], () => new float[1]), new SafetensorsItem("w", [1], () => new float[1])]));
    }

    [Fact]
    public void Read_WrongNameOrShape_NamesTheTensorAndTheFile()
    {
        string path = WriteSmall();
        using SafetensorsReader reader = SafetensorsReader.Open(path);

        string missing = OneLine.Of(() => reader.Read("other", [1], new float[1]));
        string shape = OneLine.Of(() => reader.Read("m", [3, 2], new float[6]));

        Assert.Contains(path, missing);
        Assert.Contains("no tensor other", missing);
        Assert.Contains("tensor m is (2, 3), (3, 2) is needed", shape);
    }

    [Fact]
    public void Open_EveryTruncation_IsAnErrorThatNamesTheFile()
    {
        string path = WriteSmall();
        byte[] whole = File.ReadAllBytes(path);
        for (int length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(path, whole[..length]);
            Assert.Contains(path, OneLine.Of(() => SafetensorsReader.Open(path).Dispose()));
        }

        File.WriteAllBytes(path, [.. whole, 0]);
        Assert.Contains("1 bytes after the last tensor", OneLine.Of(() => SafetensorsReader.Open(path).Dispose()));
    }

    [Fact]
    public void Open_RandomBytesChanged_ReadsOrIsOneClearError()
    {
        string path = WriteSmall();
        byte[] whole = File.ReadAllBytes(path);
        int header = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(whole), refused = 0;
        Random random = new(1);
        for (int trial = 0; trial < 600; trial++)
        {
            byte[] changed = [.. whole];
            for (int flips = random.Next(1, 4); flips > 0; flips--)
                changed[random.Next(header)] = (byte)random.Next(256);
            File.WriteAllBytes(path, changed);
            try
            {
                using SafetensorsReader reader = SafetensorsReader.Open(path);
                foreach (SafetensorsEntry entry in reader.Tensors.Values)
                    reader.Read(entry.Name, [.. entry.Shape], new float[entry.Count]);
            }
            catch (TinyMoEException e)
            {
                Assert.DoesNotContain('\n', e.Message);
                refused++;
            }
        }

        Assert.InRange(refused, 300, 600);
    }

    [Theory]
    [InlineData("[]", "not a JSON object")]
    [InlineData("{\"t\":7}", "tensor t is not described")]
    [InlineData("{\"t\":{\"dtype\":\"F63\",\"shape\":[1],\"data_offsets\":[0,8]}}", "tensor t has the dtype F63, which")]
    [InlineData("{\"t\":{\"dtype\":\"F6_E2M3\",\"shape\":[11],\"data_offsets\":[0,8]}}", "tensor t has 8 bytes")] // 8¼
    [InlineData("{\"t\":{\"dtype\":\"U8\",\"shape\":[2147483647,2147483647,5],\"data_offsets\":[0,8]}}", "tensor t has 8 bytes")]
    [InlineData(" {\"t\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}", "begins with {")]
    [InlineData("{\"t\":{\"dtype\":\"F16\",\"shape\":[3],\"data_offsets\":[0,8]}}", "tensor t has 8 bytes")]
    [InlineData("{\"t\":{\"dtype\":\"a\\u001b[31m\\nb\",\"shape\":[4],\"data_offsets\":[0,8]}}", "the dtype a?[31m?b, which")]
    [InlineData("{\"a\\u001b[31m\\nb\":7}", "tensor a?[31m?b is not described")]
    [InlineData("{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", "__metadata__ lists a twice")]
    [InlineData("{\"__metadata__\":{\"a\":\"\",\"\\u0061\":\"\"}}", "__metadata__ lists a twice")]
    [InlineData("{\"__metadata__\":{},\"__metadata__\":{}}", "it lists __metadata__ twice")]
    [InlineData("{\"t\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "tensor t lists dtype twice")]
    [InlineData("{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"shape\":[2]}}", "tensor t lists shape twice")]
    [InlineData("{\"t\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", "tensor t has 8 bytes")]
    [InlineData("{\"t\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", "whole number")]
    [InlineData("{\"t\":{\"dtype\":\"F32\",\"shape\":[2.5],\"data_offsets\":[0,8]}}", "whole number")]
    [InlineData("{\"t\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}", "tensor t has 8 bytes")]
    [InlineData("{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", "data_offsets")]
    [InlineData("{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,16]}}", "data_offsets")]
    [InlineData("{\"t\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", "tensor t begins at byte 4")]
    [InlineData(
        "{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"u\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
        "tensor u begins at byte 4")]
    [InlineData("{\"t\":{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[0,16]}}", "inside tensor t")]
    [InlineData(
        "{\"t\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"t\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[8,8]}}",
        "it lists tensor t twice")]
    [InlineData("{\"__metadata__\":{\"\\ud800\":\"\"}}", "not valid JSON")]
    [InlineData("{\"__metadata__\":{\"a\":\"\\ud800\"}}", "not valid JSON")]
    [InlineData("{\"\\ud800\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", "not valid JSON")]
    [InlineData("{\"__metadata__\":{\"step\":7}}", "__metadata__ step is not a text")]
    public void Open_HeaderThatLies_SaysWhat(string header, string expected)
    {
        string path = folder["a.safetensors"];
        byte[] json = Encoding.UTF8.GetBytes(header), length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        File.WriteAllBytes(path, [.. length, .. json, .. new byte[8]]);

        Assert.Contains(expected, OneLine.Of(() => SafetensorsReader.Open(path).Dispose()));
    }

    [Fact]
    public void Open_NamesOfAnyLength_AreClippedInMessages()
    {
        string name = new('x', 100_000);
        byte[] json = Encoding.UTF8.GetBytes($"{{\"{name}\":7}}"), length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        string path = folder.Write("a.safetensors", [.. length, .. json]);
        Assert.InRange(OneLine.Of(() => SafetensorsReader.Open(path).Dispose()).Length, 200, 400);
    }

    [Fact]
    public void Read_EveryFloat16_IsExact()
    {
        ushort[] bits = [.. Enumerable.Range(0, 1 << 16).Select(i => (ushort)i)];
        string header = $"{{\"t\":{{\"dtype\":\"F16\",\"shape\":[256,256],\"data_offsets\":[0,{2 * bits.Length}]}}}}";
        byte[] json = Encoding.UTF8.GetBytes(header), length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        string path = folder.Write("a.safetensors", [.. length, .. json, .. MemoryMarshal.AsBytes(bits.AsSpan())]);

        using SafetensorsReader reader = SafetensorsReader.Open(path);
        Assert.Equal(SafetensorsType.Float16, reader.Tensors["t"].Type);
        float[] values = new float[bits.Length], part = new float[7];
        reader.Read("t", [256, 256], values);
        for (int i = 0; i < bits.Length; i++)
        {
            int sign = i >> 15, exponent = i >> 10 & 31, fraction = i & 1023;
            double size = exponent == 31 ? fraction == 0 ? double.PositiveInfinity : double.NaN
                : exponent == 0 ? fraction * Math.Pow(2, -24)    // subnormal
                : (1 + fraction / 1024.0) * Math.Pow(2, exponent - 15);
            Assert.Equal(sign == 0 ? size : -size, (double)values[i]);
        }

        reader.Read(reader.Tensors["t"], 1000, part);
        Assert.Equal(values[1000..1007], part);
    }

    [Fact]
    public void Open_NoSuchFile_SaysSo() =>
        Assert.Contains("no such file", OneLine.Of(() => SafetensorsReader.Open(folder["none.safetensors"]).Dispose()));

    private string WriteSmall()
    {
        string path = folder["small.safetensors"];
        SafetensorsWriter.Write(
            path,
            [
                new SafetensorsItem("m", [2, 3], () => new float[] { 1, 2, 3, 4, 5, float.NegativeInfinity }),
                new SafetensorsItem("deep.name \"é\"", [], () => new float[] { -0.5f }),
                new SafetensorsItem("empty", [0, 5], () => []),
            ],
            new Dictionary<string, string> { ["step"] = "7" });
        return path;
    }
}
