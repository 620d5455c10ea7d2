using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.Win32.SafeHandles;
using TinyMoE.Memory;

namespace TinyMoE.Files;

/// <summary>A tensor in a safetensors file: bytes <see cref="Begin"/> to <see cref="End"/> of the values.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">How its elements are kept.</param>
/// <param name="Shape">Its sizes, outermost first; none for a scalar.</param>
/// <param name="Begin">Its first byte, counted from the end of the header.</param>
/// <param name="End">The byte after its last.</param>
public sealed record SafetensorsEntry(string Name, ElementType Type, IReadOnlyList<int> Shape, long Begin, long End)
{
    /// <summary>Number of elements.</summary>
    public long Count => (End - Begin) / ElementBytes;

    /// <summary>Bytes of an element.</summary>
    internal int ElementBytes => SafetensorsReader.BytesOf(Type);

    /// <summary>The shape as people write it.</summary>
    internal string ShapeText => SafetensorsReader.Text([.. Shape]);
}

/// <summary>
/// Reads safetensors files with tensors in float32 and bfloat16. Opening believes nothing: lengths, JSON,
/// types, shapes and offsets must fit together and cover the file exactly, or a <see cref="TinyMoEException"/>
/// names the file and the tensor. Values are read in pieces, or where they lie in a mapping of the file.
/// </summary>
public sealed class SafetensorsReader : IDisposable
{
    private const int LengthBytes = 8;
    private const long LargestHeader = 100_000_000; // the format's own limit

    private readonly string path;
    private readonly SafeFileHandle file;
    private readonly Dictionary<string, SafetensorsEntry> tensors = [];
    private readonly Dictionary<string, string> metadata = [];
    private long dataStart;
    private MappedFile? mapping;

    private SafetensorsReader(string path, SafeFileHandle file)
    {
        this.path = path;
        this.file = file;
    }

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, SafetensorsEntry> Tensors => tensors;

    /// <summary>The file's free texts.</summary>
    public IReadOnlyDictionary<string, string> Metadata => metadata;

    /// <summary>Opens a file and checks all of its header.</summary>
    public static SafetensorsReader Open(string path)
    {
        SafetensorsReader? reader = null;
        try
        {
            reader = new SafetensorsReader(path, File.OpenHandle(path));
            reader.ReadHeader();
            return reader;
        }
        catch (Exception e)
        {
            reader?.Dispose();
            if (FileProblem.Is(e))
                throw new TinyMoEException($"Cannot read {path}: {FileProblem.Reason(e)}.", e);
            throw;
        }
    }

    /// <summary>
    /// Reads tensor <paramref name="name"/>, which must have shape <paramref name="shape"/>, into <paramref name="destination"/>;
    /// bfloat16 is widened.
    /// </summary>
    public void Read(string name, ReadOnlySpan<int> shape, Span<float> destination)
    {
        SafetensorsEntry entry = Find(name, shape);
        if (destination.Length != entry.Count)
            throw new ArgumentException($"Tensor {name} has {entry.Count} elements, there is room for {destination.Length}.");
        Read(entry, 0, destination);
    }

    /// <summary>The tensor <paramref name="name"/>, which must have shape <paramref name="shape"/>.</summary>
    /// <exception cref="TinyMoEException">There is none, or it has another shape.</exception>
    internal SafetensorsEntry Find(string name, ReadOnlySpan<int> shape)
    {
        if (!tensors.TryGetValue(name, out SafetensorsEntry? entry))
            throw new TinyMoEException($"{path} has no tensor {name}: it was written for another model.");
        if (!shape.SequenceEqual(entry.Shape.ToArray()))
        {
            throw new TinyMoEException(
                $"{path}: tensor {name} is {entry.ShapeText}, {Text(shape)} is needed: it was written for another model.");
        }

        return entry;
    }

    /// <summary>Reads elements of a tensor from <paramref name="first"/> on; bfloat16 is widened.</summary>
    internal void Read(SafetensorsEntry entry, long first, Span<float> destination)
    {
        if (entry.Type == ElementType.Float32)
        {
            ReadBytes(entry, first, MemoryMarshal.AsBytes(destination));
            return;
        }

        // The 16-bit values come into the second half; widening from the front never overtakes what it reads.
        Span<ushort> narrow = MemoryMarshal.Cast<float, ushort>(destination)[destination.Length..];
        ReadBytes(entry, first, MemoryMarshal.AsBytes(narrow));
        for (int i = 0; i < destination.Length; i++)
            destination[i] = Bfloat16.Widen(narrow[i]);
    }

    /// <summary>Reads elements of a bfloat16 tensor from <paramref name="first"/> on as they are.</summary>
    internal void Read(SafetensorsEntry entry, long first, Span<ushort> destination)
    {
        if (entry.Type != ElementType.Bfloat16)
            throw new ArgumentException($"Tensor {entry.Name} is not in bfloat16.");
        ReadBytes(entry, first, MemoryMarshal.AsBytes(destination));
    }

    /// <summary>
    /// The address of a tensor in a mapping of the whole file, which lives as long as the reader; 0 where it is not at a multiple of its
    /// element's size.
    /// </summary>
    internal nint AddressOf(SafetensorsEntry entry)
    {
        long offset = dataStart + entry.Begin;
        if (offset % entry.ElementBytes != 0)
            return 0;
        try
        {
            mapping ??= new MappedFile(file);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot map {path}: {FileProblem.Reason(e)}.", e);
        }

        return mapping.Start + (nint)offset;
    }

    /// <summary>Closes the file, and its mapping.</summary>
    public void Dispose()
    {
        mapping?.Dispose();
        file.Dispose();
    }

    internal static int BytesOf(ElementType type) => type == ElementType.Bfloat16 ? sizeof(ushort) : sizeof(float);

    internal static string Text(ReadOnlySpan<int> shape) => $"({string.Join(", ", shape.ToArray())})";

    private TinyMoEException Broken(string what) =>
        new($"{path} is not a safetensors file of float32 or bfloat16 tensors: {what}. Take another copy of it.");

    private void ReadBytes(SafetensorsEntry entry, long first, Span<byte> destination)
    {
        long offset = first * entry.ElementBytes;
        if (first < 0 || offset + destination.Length > entry.End - entry.Begin)
            throw new ArgumentOutOfRangeException(nameof(first), $"Tensor {entry.Name} has {entry.Count} elements.");
        try
        {
            if (!Fill(destination, dataStart + entry.Begin + offset))
                throw new TinyMoEException($"{path} ends inside tensor {entry.Name}: it has been changed since it was opened.");
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot read tensor {entry.Name} of {path}: {FileProblem.Reason(e)}.", e);
        }
    }

    private bool Fill(Span<byte> destination, long offset)
    {
        while (destination.Length > 0)
        {
            int read = RandomAccess.Read(file, destination, offset);
            if (read == 0)
                return false;
            destination = destination[read..];
            offset += read;
        }

        return true;
    }

    private void ReadHeader()
    {
        long size = RandomAccess.GetLength(file);
        Span<byte> lengthBytes = stackalloc byte[LengthBytes];
        if (!Fill(lengthBytes, 0))
            throw Broken($"it has {size} bytes and needs {LengthBytes} before the header");
        long length = BinaryPrimitives.ReadInt64LittleEndian(lengthBytes);
        if (length is < 2 or > LargestHeader || length > size - LengthBytes)
            throw Broken($"its header should have {(ulong)length} bytes, but {size - LengthBytes} follow");
        byte[] header = new byte[length];
        if (!Fill(header, LengthBytes))
            throw Broken("it ends inside the header");

        dataStart = LengthBytes + length;
        Parse(header);
        CheckCover(size - dataStart);
    }

    private void Parse(byte[] header)
    {
        try
        {
            if (!Utf8.IsValid(header))
                throw Broken("its header is not UTF-8");
            using JsonDocument json = JsonDocument.Parse(header, new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (json.RootElement.ValueKind != JsonValueKind.Object)
                throw Broken("its header is not a JSON object");
            foreach (JsonProperty property in json.RootElement.EnumerateObject())
            {
                if (property.Name == SafetensorsWriter.MetadataKey)
                    ParseMetadata(property.Value);
                else
                    tensors.Add(property.Name, ParseEntry(property.Name, property.Value));
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) // the latter: half a surrogate pair, escaped
        {
            throw Broken("its header is not valid JSON");
        }
    }

    private void ParseMetadata(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw Broken($"{SafetensorsWriter.MetadataKey} is not an object");
        foreach (JsonProperty text in value.EnumerateObject())
        {
            if (text.Value.ValueKind != JsonValueKind.String)
                throw Broken($"{SafetensorsWriter.MetadataKey} {text.Name} is not a text");
            metadata.Add(text.Name, text.Value.GetString()!);
        }
    }

    private SafetensorsEntry ParseEntry(string name, JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw Broken($"tensor {name} is not described by an object");
        if (!value.TryGetProperty("dtype", out JsonElement dtype) || dtype.ValueKind != JsonValueKind.String)
            throw Broken($"tensor {name} has no dtype");
        ElementType type = dtype.GetString() switch
        {
            "F32" => ElementType.Float32,
            "BF16" => ElementType.Bfloat16,
            string other => throw Broken($"tensor {name} has the dtype {other} and only F32 and BF16 are read"),
            null => throw Broken($"tensor {name} has no dtype"),
        };

        long[] shape = Numbers(name, value, "shape");
        long[] offsets = Numbers(name, value, "data_offsets");
        if (offsets is not [long begin, long end] || begin > end)
            throw Broken($"tensor {name} has no data_offsets of the form [begin, end]");
        if (Elements(shape) is not long count || count * BytesOf(type) != end - begin)
            throw Broken($"tensor {name} has {end - begin} bytes, which is not what the shape ({string.Join(", ", shape)}) needs");
        return new SafetensorsEntry(name, type, Array.ConvertAll(shape, size => (int)size), begin, end);
    }

    private long[] Numbers(string name, JsonElement value, string key)
    {
        if (!value.TryGetProperty(key, out JsonElement list) || list.ValueKind != JsonValueKind.Array)
            throw Broken($"tensor {name} has no list {key}");
        long[] numbers = new long[list.GetArrayLength()];
        for (int i = 0; i < numbers.Length; i++)
        {
            if (list[i].ValueKind != JsonValueKind.Number || !list[i].TryGetInt64(out numbers[i]) || numbers[i] < 0)
                throw Broken($"tensor {name} has something other than a whole number from 0 in {key}");
        }

        return numbers;
    }

    // The product of the sizes; null when a size or the product is larger than a span can be.
    private static long? Elements(long[] shape)
    {
        long product = 1;
        foreach (long size in shape)
        {
            if (size > int.MaxValue || (product *= size) > int.MaxValue)
                return null;
        }

        return product;
    }

    // In the order of their bytes, tensors follow each other without hole or overlap, from the header to the end of the file.
    private void CheckCover(long dataBytes)
    {
        long covered = 0;
        foreach (SafetensorsEntry entry in tensors.Values.OrderBy(entry => entry.Begin).ThenBy(entry => entry.End))
        {
            if (entry.Begin != covered)
                throw Broken($"tensor {entry.Name} begins at byte {entry.Begin} of the values, but the one before it ends at {covered}");
            if (entry.End > dataBytes)
                throw Broken($"it ends inside tensor {entry.Name}: {dataBytes} bytes of values where {entry.End} are needed");
            covered = entry.End;
        }

        if (covered != dataBytes)
            throw Broken($"{dataBytes - covered} bytes after the last tensor belong to none");
    }
}
