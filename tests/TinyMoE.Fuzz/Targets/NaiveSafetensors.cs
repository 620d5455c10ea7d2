using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using TinyMoE.Files;

namespace TinyMoE.Fuzz;

/// <summary>Reads safetensors files as simply as one can, to compare with.</summary>
internal static class NaiveSafetensors
{
    /// <summary>What the reader says of a file that the bytes do not; null: nothing.</summary>
    public static string? Compare(string path, byte[] input)
    {
        using SafetensorsReader reader = SafetensorsReader.Open(path);
        int length = checked((int)BinaryPrimitives.ReadInt64LittleEndian(input));
        JsonObject header = JsonNode.Parse(Encoding.UTF8.GetString(input, 8, length))!.AsObject();
        string[] names = [.. header.Select(member => member.Key).Where(name => name != "__metadata__")];
        if (!names.SequenceEqual(reader.Tensors.Keys))
            return "it has other tensors than the header";
        bool[] used = new bool[input.Length - 8 - length];
        foreach (string name in names)
        {
            JsonNode tensor = header[name]!;
            int[] shape = [.. tensor["shape"]!.AsArray().Select(extent => extent!.GetValue<int>())];
            int from = tensor["data_offsets"]![0]!.GetValue<int>(), to = tensor["data_offsets"]![1]!.GetValue<int>();
            SafetensorsType type = tensor["dtype"]!.GetValue<string>() switch
            {
                "BF16" => SafetensorsType.Bfloat16,
                "F16" => SafetensorsType.Float16,
                _ => SafetensorsType.Float32,
            };
            int size = type == SafetensorsType.Float32 ? 4 : 2;
            SafetensorsEntry entry = reader.Tensors[name];
            if (!entry.Shape.SequenceEqual(shape) || entry.Type != type)
                return $"tensor {name} has another shape or type";
            float[] values = new float[shape.Aggregate(1, (product, extent) => checked(product * extent))];
            reader.Read(name, shape, values);
            if (values.Length * size != to - from)
                return $"tensor {name} has another size than its shape";
            for (int i = 0; i < values.Length; i++)
            {
                ReadOnlySpan<byte> bytes = input.AsSpan(8 + length + from + (i * size));
                uint bits = type switch
                {
                    SafetensorsType.Bfloat16 => (uint)BinaryPrimitives.ReadUInt16LittleEndian(bytes) << 16,
                    SafetensorsType.Float16 => BitConverter.SingleToUInt32Bits((float)BinaryPrimitives.ReadHalfLittleEndian(bytes)),
                    _ => BinaryPrimitives.ReadUInt32LittleEndian(bytes),
                };
                if (BitConverter.SingleToUInt32Bits(values[i]) != bits)
                    return $"value {i} of tensor {name} is another";
            }

            for (int i = from; i < to; i++)
            {
                if (used[i])
                    return $"byte {i} of the values is in two tensors";
                used[i] = true;
            }
        }

        return used.All(is_ => is_) ? null : "a byte of the values is in no tensor";
    }
}
