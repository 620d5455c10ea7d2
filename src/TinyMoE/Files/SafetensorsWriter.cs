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

/// <summary>What a header says of a tensor, but for its place.</summary>
internal readonly record struct SafetensorsPlace(string Name, IReadOnlyList<int> Shape, SafetensorsType Type)
{
    /// <summary>Bytes of its values.</summary>
    public long Bytes => checked(Shape.Aggregate(1L, (product, size) => checked(product * size)) * Type.BitsOf()) / 8;
}

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
        byte[] header = Header([.. items.Select(item => new SafetensorsPlace(item.Name, item.Shape, SafetensorsType.Float32))], metadata);
        try
        {
            using FileStream file = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 1 << 16);
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

    /// <summary>All that comes before the values of these tensors, its length included; their order is that of their bytes.</summary>
    internal static byte[] Header(IReadOnlyList<SafetensorsPlace> items, IReadOnlyDictionary<string, string>? metadata)
    {
        const int LengthBytes = 8;
        using MemoryStream json = new();
        json.Write(new byte[LengthBytes]);
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
            foreach (SafetensorsPlace item in items)
            {
                if (!names.Add(item.Name))
                    throw new ArgumentException($"The tensor name {item.Name} is taken.");
                long begin = end;
                end += item.Bytes;
                WriteItem(writer, item, begin, end);
            }

            writer.WriteEndObject();
        }

        while (json.Length % 8 != 0)
            json.WriteByte((byte)' ');
        byte[] header = json.ToArray();
        BinaryPrimitives.WriteInt64LittleEndian(header, header.Length - LengthBytes);
        return header;
    }

    private static void WriteItem(Utf8JsonWriter writer, SafetensorsPlace item, long begin, long end)
    {
        writer.WriteStartObject(item.Name);
        writer.WriteString("dtype", item.Type.NameOf());
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
