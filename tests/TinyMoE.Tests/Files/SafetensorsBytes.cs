using System.Buffers.Binary;
using System.Text.Json;

namespace TinyMoE.Tests.Files;

/// <summary>Makes safetensors files by hand, of tensors in any type.</summary>
internal static class SafetensorsBytes
{
    /// <summary>A tensor whose values are these bytes.</summary>
    public sealed record Item(string Name, string DType, int[] Shape, byte[] Bytes);

    /// <summary>A tensor of zeros.</summary>
    public static Item Zeros(string name, string dtype, int bytes, params int[] shape) => new(name, dtype, shape, new byte[bytes]);

    /// <summary>A whole file, in the order of the tensors.</summary>
    public static byte[] Of(params Item[] items)
    {
        Dictionary<string, object> header = [];
        int end = 0;
        foreach (Item item in items)
        {
            header.Add(item.Name, new { dtype = item.DType, shape = item.Shape, data_offsets = new[] { end, end + item.Bytes.Length } });
            end += item.Bytes.Length;
        }

        byte[] json = JsonSerializer.SerializeToUtf8Bytes(header), length = new byte[8];
        json = [.. json, .. Enumerable.Repeat((byte)' ', (8 - json.Length % 8) % 8)];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        return [.. length, .. json, .. items.SelectMany(item => item.Bytes)];
    }
}
