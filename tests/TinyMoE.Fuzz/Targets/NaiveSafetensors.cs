using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using TinyMoE.Files;
using TinyMoE.Memory;

namespace TinyMoE.Fuzz;

/// <summary>Reads safetensors files as simply as one can, to compare with.</summary>
internal static class NaiveSafetensors
{
    private static readonly string[] OfWeights = ["F32", "BF16", "F16", "F8_E4M3"];

    /// <summary>What the reader says of a file that the bytes do not; null: nothing.</summary>
    public static string? Compare(string path, byte[] input)
    {
        using SafetensorsReader reader = SafetensorsReader.Open(path);
        int length = checked((int)BinaryPrimitives.ReadInt64LittleEndian(input));
        JsonObject header = JsonNode.Parse(Encoding.UTF8.GetString(input, 8, length))!.AsObject();
        string[] names = [.. header.Select(member => member.Key).Where(name => name != "__metadata__")];
        if (!names.SequenceEqual(reader.Tensors.Keys))
            return "it has other tensors than the header";
        ReadOnlySpan<byte> data = input.AsSpan(8 + length);
        bool[] used = new bool[data.Length];
        foreach (string name in names)
        {
            JsonNode offsets = header[name]!["data_offsets"]!;
            int from = offsets[0]!.GetValue<int>(), to = offsets[1]!.GetValue<int>();
            if (CompareTensor(reader, reader.Tensors[name], header[name]!, data[from..to]) is { } wrong)
                return wrong;
            for (int i = from; i < to; i++)
            {
                if (used[i])
                    return $"byte {i} of the values is in two tensors";
                used[i] = true;
            }
        }

        return used.All(is_ => is_) ? null : "a byte of the values is in no tensor";
    }

    private static string? CompareTensor(SafetensorsReader reader, SafetensorsEntry entry, JsonNode said, ReadOnlySpan<byte> data)
    {
        int[] shape = [.. said["shape"]!.AsArray().Select(extent => extent!.GetValue<int>())];
        string dtype = said["dtype"]!.GetValue<string>();
        if (!entry.Shape.SequenceEqual(shape) || entry.Type.NameOf() != dtype)
            return $"tensor {entry.Name} has another shape or type";
        long count = shape.Aggregate(1L, (product, extent) => checked(product * extent));
        if (count * BitsOf(dtype) != 8L * data.Length)
            return $"tensor {entry.Name} has another size than its shape";
        float[] values = new float[count];
        try
        {
            reader.Read(entry.Name, shape, values);
        }
        catch (TinyMoEException) when (!OfWeights.Contains(dtype))
        {
            return null; // as it should be
        }

        for (int i = 0; i < values.Length; i++)
        {
            if (BitConverter.SingleToUInt32Bits(values[i]) != Bits(dtype, data[(i * BitsOf(dtype) / 8)..]))
                return $"value {i} of tensor {entry.Name} is another";
        }

        return OfWeights.Contains(dtype) ? null : $"tensor {entry.Name} is read, and is kept in {dtype}";
    }

    private static uint Bits(string dtype, ReadOnlySpan<byte> bytes) => dtype switch
    {
        "F8_E4M3" => BitConverter.SingleToUInt32Bits(Float8.Widen(bytes[0])),
        "BF16" => (uint)BinaryPrimitives.ReadUInt16LittleEndian(bytes) << 16,
        "F16" => BitConverter.SingleToUInt32Bits((float)BinaryPrimitives.ReadHalfLittleEndian(bytes)),
        _ => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
    };

    private static int BitsOf(string dtype) => dtype switch
    {
        "F64" or "I64" or "U64" or "C64" => 64,
        "F32" or "I32" or "U32" => 32,
        "F16" or "BF16" or "I16" or "U16" => 16,
        "F6_E2M3" or "F6_E3M2" => 6,
        "F4" => 4,
        _ => 8,
    };
}
