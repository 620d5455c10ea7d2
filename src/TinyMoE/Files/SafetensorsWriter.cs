using System.Buffers.Binary;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace TinyMoE.Files;

/// <summary>Gives the values of one tensor when its turn to be written comes; the span is read before the next is asked for.</summary>
public delegate ReadOnlySpan<float> FloatSource();

/// <summary>One float32 tensor to write.</summary>
/// <param name="Name">Its name, unique in the file.</param>
/// <param name="Shape">Its sizes, outermost first; none for a scalar.</param>
/// <param name="Values">Gives as many values as the shape has elements.</param>
public sealed record SafetensorsItem(string Name, IReadOnlyList<int> Shape, FloatSource Values);

/// <summary>
/// Writes the safetensors format: 8 bytes little-endian length of the header, the header in JSON
/// (<c>{"name":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},"__metadata__":{"key":"text"}}</c>, padded with spaces to 8 bytes),
/// then the values, one tensor after another. Nothing is collected in memory.
/// </summary>
public static class SafetensorsWriter
{
    internal const string MetadataKey = "__metadata__";

    /// <summary>
    /// Writes <paramref name="items"/> into a new file; a refused write throws a <see cref="TinyMoEException"/> and may leave a part.
    /// </summary>
    /// <param name="path">The file.</param>
    /// <param name="items">The tensors, in the order of their bytes.</param>
    /// <param name="metadata">Free texts of the header.</param>
    /// <param name="onlyFinite">Whether a value that is not finite is refused; the error names its tensor.</param>
    public static void Write(
        string path,
        IReadOnlyList<SafetensorsItem> items,
        IReadOnlyDictionary<string, string>? metadata = null,
        bool onlyFinite = false)
    {
        byte[] header = Header(items, metadata);
        try
        {
            using FileStream file = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1 << 16);
            Span<byte> length = stackalloc byte[8];
            BinaryPrimitives.WriteInt64LittleEndian(length, header.Length);
            file.Write(length);
            file.Write(header);
            foreach (SafetensorsItem item in items)
            {
                ReadOnlySpan<float> values = item.Values();
                long count = Count(item);
                if (values.Length != count)
                    throw new ArgumentException($"Tensor {item.Name} has {count} elements by its shape, but got {values.Length} values.");
                if (onlyFinite && !TensorPrimitives.IsFiniteAll<float>(values))
                    throw new NotFiniteException(item.Name, $"{item.Name} holds values that are not finite, so {path} is not written.");
                file.Write(MemoryMarshal.AsBytes(values));
            }
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new StorageException($"Cannot write {path}: {FileProblem.Reason(e)}.", e);
        }
    }

    private static long Count(SafetensorsItem item) => item.Shape.Aggregate(1L, (product, size) => checked(product * size));

    private static byte[] Header(IReadOnlyList<SafetensorsItem> items, IReadOnlyDictionary<string, string>? metadata)
    {
        using MemoryStream json = new();
        using (Utf8JsonWriter writer = new(json))
        {
            writer.WriteStartObject();
            if (metadata is not null)
            {
                writer.WriteStartObject(MetadataKey);
                foreach ((string key, string text) in metadata)
                    writer.WriteString(key, text);
                writer.WriteEndObject();
            }

            long end = 0;
            HashSet<string> names = [MetadataKey];
            foreach (SafetensorsItem item in items)
            {
                if (!names.Add(item.Name))
                    throw new ArgumentException($"The tensor name {item.Name} is taken.");
                long begin = end;
                end += Count(item) * sizeof(float);
                WriteItem(writer, item, begin, end);
            }

            writer.WriteEndObject();
        }

        while (json.Length % 8 != 0)
            json.WriteByte((byte)' ');
        return json.ToArray();
    }

    private static void WriteItem(Utf8JsonWriter writer, SafetensorsItem item, long begin, long end)
    {
        writer.WriteStartObject(item.Name);
        writer.WriteString("dtype", "F32");
        writer.WriteStartArray("shape");
        foreach (int size in item.Shape)
            writer.WriteNumberValue(size);
        writer.WriteEndArray();
        writer.WriteStartArray("data_offsets");
        writer.WriteNumberValue(begin);
        writer.WriteNumberValue(end);
        writer.WriteEndArray();
        writer.WriteEndObject();
    }
}
