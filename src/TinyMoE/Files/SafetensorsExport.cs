using System.Globalization;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Text.Json;
using TinyMoE.Memory;

namespace TinyMoE.Files;

/// <summary>Gives values of a tensor from element <paramref name="first"/> on, as many as fit into <paramref name="values"/>.</summary>
public delegate void TensorValues(long first, Span<float> values);

/// <summary>A tensor to write into a model's files.</summary>
/// <param name="Name">Its name, unique in the model.</param>
/// <param name="Shape">Its sizes, outermost first; none for a scalar.</param>
/// <param name="Type">How it is kept there: float32, bfloat16 or float16.</param>
/// <param name="Values">Gives its values, piece by piece from the first on.</param>
public sealed record ExportTensor(string Name, IReadOnlyList<int> Shape, SafetensorsType Type, TensorValues Values);

/// <summary>
/// Writes a model's tensors as Hugging Face does: <c>model.safetensors</c>, or where that would be larger than a shard may be,
/// <c>model-00001-of-0000N.safetensors</c> and so on and <c>model.safetensors.index.json</c>. In a file wider types come first, then names
/// in order. Only a piece of one tensor is in memory at a time.
/// </summary>
public static class SafetensorsExport
{
    /// <summary>Most bytes of values in a shard, as long as no single tensor has more.</summary>
    public const long UsualShard = 5_000_000_000;

    private const int Piece = 256 * 1024; // values

    // Many versions of transformers refuse a file that does not say so.
    private static readonly Dictionary<string, string> Metadata = new() { ["format"] = "pt" };

    /// <summary>
    /// Writes new files into <paramref name="folder"/>, which has none of their names; their names, the index last. A refused write leaves
    /// what there is, so fill a folder that takes its place when all is there.
    /// </summary>
    /// <exception cref="NotFiniteException">A value is not finite; it names the tensor.</exception>
    /// <exception cref="StorageException">The file system refuses it.</exception>
    /// <exception cref="TinyMoEException">A value is too large for float16; it names the tensor.</exception>
    public static IReadOnlyList<string> Write(string folder, IReadOnlyList<ExportTensor> tensors, long shardSize = UsualShard)
    {
        List<List<ExportTensor>> shards = Split(tensors, shardSize);
        List<string> names = [];
        for (int i = 0; i < shards.Count; i++)
        {
            names.Add(shards.Count == 1 ? RunFiles.Model : NameOf(i + 1, shards.Count));
            WriteFile(Path.Combine(folder, names[i]), shards[i]);
        }

        if (shards.Count > 1)
        {
            WriteIndex(Path.Combine(folder, SafetensorsIndex.FileName), shards, names);
            names.Add(SafetensorsIndex.FileName);
        }

        return names;
    }

    /// <summary>The tensors of each file: in their order, as many as fit.</summary>
    private static List<List<ExportTensor>> Split(IReadOnlyList<ExportTensor> tensors, long shardSize)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(shardSize, 1);
        HashSet<string> names = [];
        List<List<ExportTensor>> shards = [[]];
        long size = 0;
        foreach (ExportTensor tensor in tensors)
        {
            if (!names.Add(tensor.Name))
                throw new ArgumentException($"The tensor name {tensor.Name} is taken.");
            long bytes = PlaceOf(tensor).Bytes;
            if (shards[^1].Count > 0 && bytes > shardSize - size)
            {
                shards.Add([]);
                size = 0;
            }

            shards[^1].Add(tensor);
            size += bytes;
        }

        return shards;
    }

    private static string NameOf(int shard, int of) =>
        string.Create(CultureInfo.InvariantCulture, $"model-{shard:00000}-of-{of:00000}.safetensors");

    private static SafetensorsPlace PlaceOf(ExportTensor tensor) => new(tensor.Name, tensor.Shape, tensor.Type);

    private static void WriteFile(string path, List<ExportTensor> tensors)
    {
        List<ExportTensor> ordered =
        [
            .. tensors.OrderByDescending(tensor => tensor.Type.BitsOf()).ThenBy(tensor => tensor.Type == SafetensorsType.Float16)
                .ThenBy(tensor => tensor.Name, StringComparer.Ordinal),
        ];
        byte[] header = SafetensorsWriter.Header([.. ordered.Select(PlaceOf)], Metadata);
        float[] values = new float[Piece];
        ushort[] narrow = new ushort[Piece];
        try
        {
            using FileStream file = new(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
            file.Write(header);
            foreach (ExportTensor tensor in ordered)
            {
                long count = PlaceOf(tensor).Bytes * 8 / tensor.Type.BitsOf();
                for (long first = 0; first < count; first += Piece)
                {
                    Span<float> piece = values.AsSpan(0, (int)Math.Min(Piece, count - first));
                    tensor.Values(first, piece);
                    file.Write(Bytes(tensor, piece, narrow));
                }
            }
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new StorageException($"Cannot write {path}: {FileProblem.Reason(e)}.", e);
        }
    }

    /// <summary>Values in the type of their tensor; <paramref name="narrow"/> is room for them.</summary>
    private static ReadOnlySpan<byte> Bytes(ExportTensor tensor, ReadOnlySpan<float> values, Span<ushort> narrow)
    {
        string name = Excerpt.Of(tensor.Name);
        if (!TensorPrimitives.IsFiniteAll(values))
            throw new NotFiniteException(tensor.Name, $"The tensor {name} holds values that are not finite, so no model is written.");
        narrow = narrow[..values.Length];
        if (tensor.Type == SafetensorsType.Float32)
            return MemoryMarshal.AsBytes(values);
        if (tensor.Type == SafetensorsType.Bfloat16)
        {
            Bfloat16.Narrow(values, narrow);
            if (!Bfloat16.IsFiniteAll(narrow))
                throw TooLarge("bfloat16, which ends at 3.39e38");
        }
        else if (tensor.Type == SafetensorsType.Float16)
        {
            if (MathF.Abs(TensorPrimitives.MaxMagnitude(values)) > Float16.Largest)
                throw TooLarge("float16, which ends at 65504");
            Float16.Narrow(values, narrow);
        }
        else
        {
            throw new ArgumentException($"Nothing is written in {tensor.Type.NameOf()}.");
        }

        return MemoryMarshal.AsBytes(narrow);

        TinyMoEException TooLarge(string type) =>
            new($"The tensor {name} holds a value that is too large for {type}. Write the model in float32 or bfloat16.");
    }

    private static void WriteIndex(string path, List<List<ExportTensor>> shards, List<string> names)
    {
        SortedDictionary<string, string> map = new(StringComparer.Ordinal);
        long size = 0;
        foreach ((List<ExportTensor> shard, string name) in shards.Zip(names))
        {
            foreach (ExportTensor tensor in shard)
            {
                map.Add(tensor.Name, name);
                size += PlaceOf(tensor).Bytes;
            }
        }

        try
        {
            using FileStream file = new(path, FileMode.CreateNew, FileAccess.Write);
            using Utf8JsonWriter writer = new(file, new JsonWriterOptions { Indented = true });
            writer.WriteStartObject();
            writer.WriteStartObject("metadata");
            writer.WriteNumber("total_size", size);
            writer.WriteEndObject();
            writer.WriteStartObject("weight_map");
            foreach ((string tensor, string name) in map)
                writer.WriteString(tensor, name);
            writer.WriteEndObject();
            writer.WriteEndObject();
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new StorageException($"Cannot write {path}: {FileProblem.Reason(e)}.", e);
        }
    }
}
