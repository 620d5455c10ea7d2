using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.Win32.SafeHandles;
using TinyMoE.Memory;

namespace TinyMoE.Files;

/// <summary>
/// Reads safetensors files. Opening believes nothing: lengths, JSON, types, shapes and offsets must fit together and cover the file
/// exactly, or a <see cref="TinyMoEException"/> names the file and the tensor. Tensors may have any type of the format; which of them
/// weights can be read from (<see cref="SafetensorsTypes.IsOfWeights"/>) is asked when they are. Values are read in pieces, or where they
/// lie in a mapping of the file.
/// </summary>
public sealed class SafetensorsReader : IDisposable
{
    private const int LengthBytes = 8;
    private const long LargestHeader = 100_000_000; // the format's own limit

    private readonly string path;
    private readonly SafeFileHandle file;
    private readonly bool leaveOpen;
    private readonly Dictionary<string, SafetensorsEntry> tensors = [];
    private readonly Dictionary<string, string> metadata = [];
    private long dataStart;
    private MappedFile? mapping;

    private SafetensorsReader(string path, SafeFileHandle file, bool leaveOpen) =>
        (this.path, this.file, this.leaveOpen) = (path, file, leaveOpen);

    /// <summary>The file, as errors name it.</summary>
    internal string FilePath => path;

    /// <summary>The tensors by name.</summary>
    public IReadOnlyDictionary<string, SafetensorsEntry> Tensors => tensors;

    /// <summary>The file's free texts.</summary>
    public IReadOnlyDictionary<string, string> Metadata => metadata;

    /// <summary>Opens a file and checks all of its header.</summary>
    public static SafetensorsReader Open(string path)
    {
        try
        {
            return Open(File.OpenHandle(path), path, leaveOpen: false);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot read {path}: {FileProblem.Reason(e)}.", e);
        }
    }

    /// <summary>Checks all of the header of an open file, which <paramref name="path"/> names in errors.</summary>
    internal static SafetensorsReader Open(SafeFileHandle file, string path, bool leaveOpen = true)
    {
        SafetensorsReader reader = new(path, file, leaveOpen);
        try
        {
            reader.ReadHeader();
            return reader;
        }
        catch (Exception e)
        {
            reader.Dispose();
            if (FileProblem.Is(e))
                throw new TinyMoEException($"Cannot read {path}: {FileProblem.Reason(e)}.", e);
            throw;
        }
    }

    /// <summary>
    /// Reads tensor <paramref name="name"/>, which must have shape <paramref name="shape"/>, into <paramref name="destination"/>;
    /// what has fewer bits is widened.
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

    /// <summary>Reads elements of a tensor from <paramref name="first"/> on; what has fewer bits is widened, which loses nothing.</summary>
    /// <exception cref="TinyMoEException">No weights are read from its type.</exception>
    internal void Read(SafetensorsEntry entry, long first, Span<float> destination)
    {
        // The narrow values come into the last part of the room; widening from the front never overtakes what it reads.
        int count = destination.Length;
        Span<byte> bytes = MemoryMarshal.AsBytes(destination);
        Span<byte> narrow = bytes[(count * (sizeof(float) - Math.Min(sizeof(float), entry.ElementBytes)))..];
        if (!entry.Type.IsOfWeights())
            throw NoWeights(entry);
        ReadBytes(entry, first, narrow);
        if (entry.Type == SafetensorsType.Bfloat16)
            Bfloat16.Widen(MemoryMarshal.Cast<byte, ushort>(narrow), destination);
        else if (entry.Type == SafetensorsType.Float16)
            Float16.Widen(MemoryMarshal.Cast<byte, ushort>(narrow), destination);
        else if (entry.Type == SafetensorsType.Float8E4M3)
            Float8.Widen(narrow, destination);
    }

    /// <summary>Reads elements of a bfloat16 or float16 tensor from <paramref name="first"/> on as they are.</summary>
    internal void Read(SafetensorsEntry entry, long first, Span<ushort> destination)
    {
        if (entry.Type is not (SafetensorsType.Bfloat16 or SafetensorsType.Float16))
            throw new ArgumentException($"Tensor {entry.Name} is kept in {entry.Type.NameOf()}, not in bfloat16 or float16.");
        ReadBytes(entry, first, MemoryMarshal.AsBytes(destination));
    }

    /// <summary>Reads bytes of a tensor of one-byte elements, as of U8 and F8_E4M3, from <paramref name="first"/> on.</summary>
    internal void Read(SafetensorsEntry entry, long first, Span<byte> destination)
    {
        if (entry.Type.BitsOf() != 8)
            throw new ArgumentException($"Tensor {entry.Name} is kept in {entry.Type.NameOf()}, whose elements are no bytes.");
        ReadBytes(entry, first, destination);
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

    /// <summary>Ends the mapping, and closes the file if it opened it.</summary>
    public void Dispose()
    {
        mapping?.Dispose();
        if (!leaveOpen)
            file.Dispose();
    }

    internal static string Text(ReadOnlySpan<int> shape) => $"({string.Join(", ", shape.ToArray())})";

    // What is said of a file has names from it, which may be anything.
    private TinyMoEException Broken(string what) => new(
        $"{path} is not a whole safetensors file: {Excerpt.Of(what, most: 400)}. Take another copy of it.");

    private TinyMoEException NoWeights(SafetensorsEntry entry) => new(
        $"{path}: tensor {Excerpt.Of(entry.Name)} is kept in {entry.Type.NameOf()}, and weights are read from F32, BF16, F16 and F8_E4M3; "
        + "use a copy of the model in one of them.");

    private void ReadBytes(SafetensorsEntry entry, long first, Span<byte> destination)
    {
        long offset = first * entry.ElementBytes;
        if (first < 0 || offset + destination.Length > entry.End - entry.Begin)
            throw new ArgumentOutOfRangeException(nameof(first), $"Tensor {entry.Name} has {entry.Count} elements.");
        try
        {
            if (!Fill(destination, dataStart + entry.Begin + offset))
            {
                throw new TinyMoEException(
                    $"{path} ends inside tensor {Excerpt.Of(entry.Name)}: it has been changed since it was opened.");
            }
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot read tensor {Excerpt.Of(entry.Name)} of {path}: {FileProblem.Reason(e)}.", e);
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
        if (length > LargestHeader && length <= size - LengthBytes)
            throw Broken($"its header has {length} bytes, and the format allows {LargestHeader}");
        if (length < 2 || length > size - LengthBytes)
            throw Broken($"its header should have {(ulong)length} bytes, but {size - LengthBytes} follow");
        byte[] header = new byte[length];
        if (!Fill(header, LengthBytes))
            throw Broken("it ends inside the header");
        if (header[0] != '{')
            throw Broken("its header is not a JSON object, which begins with {");

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
            using JsonDocument json = JsonDocument.Parse(header);
            if (json.RootElement.ValueKind != JsonValueKind.Object)
                throw Broken("its header is not a JSON object");
            foreach (JsonProperty property in Members(json.RootElement, "it"))
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

    /// <summary>The members of an object, of which no two may have one name: what the second says would be lost.</summary>
    private IEnumerable<JsonProperty> Members(JsonElement value, string owner)
    {
        HashSet<string> names = [];
        foreach (JsonProperty property in value.EnumerateObject())
        {
            string name = property.Name;
            if (!names.Add(name))
            {
                bool isTensor = owner == "it" && name != SafetensorsWriter.MetadataKey;
                throw Broken($"{owner} lists {(isTensor ? "tensor " : "")}{Excerpt.Of(name)} twice");
            }

            yield return property;
        }
    }

    private void ParseMetadata(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object)
            throw Broken($"{SafetensorsWriter.MetadataKey} is not an object");
        foreach (JsonProperty text in Members(value, SafetensorsWriter.MetadataKey))
        {
            if (text.Value.ValueKind != JsonValueKind.String)
                throw Broken($"{SafetensorsWriter.MetadataKey} {Excerpt.Of(text.Name)} is not a text");
            metadata.Add(text.Name, text.Value.GetString()!);
        }
    }

    private SafetensorsEntry ParseEntry(string name, JsonElement value)
    {
        string tensor = $"tensor {Excerpt.Of(name)}";
        if (value.ValueKind != JsonValueKind.Object)
            throw Broken($"{tensor} is not described by an object");
        Dictionary<string, JsonElement> members = Members(value, tensor).ToDictionary(member => member.Name, member => member.Value);
        if (!members.TryGetValue("dtype", out JsonElement dtype) || dtype.ValueKind != JsonValueKind.String)
            throw Broken($"{tensor} has no dtype");
        string typeName = dtype.GetString()!;
        SafetensorsType type = SafetensorsTypes.Find(typeName)
            ?? throw Broken($"{tensor} has the dtype {Excerpt.Of(typeName)}, which the format does not have");

        long[] shape = Numbers(tensor, members, "shape");
        long[] offsets = Numbers(tensor, members, "data_offsets");
        if (offsets is not [long begin, long end] || begin > end)
            throw Broken($"{tensor} has no data_offsets of the form [begin, end]");
        if (Elements(shape) is not long count || (UInt128)count * (uint)type.BitsOf() != (UInt128)(end - begin) * 8)
        {
            string sizes = Excerpt.Of(string.Join(", ", shape));
            throw Broken($"{tensor} has {end - begin} bytes, which is not what the shape ({sizes}) needs");
        }

        return new SafetensorsEntry(name, type, Array.ConvertAll(shape, size => (int)size), begin, end);
    }

    private long[] Numbers(string tensor, Dictionary<string, JsonElement> members, string key)
    {
        if (!members.TryGetValue(key, out JsonElement list) || list.ValueKind != JsonValueKind.Array)
            throw Broken($"{tensor} has no list {key}");
        long[] numbers = new long[list.GetArrayLength()];
        for (int i = 0; i < numbers.Length; i++)
        {
            if (list[i].ValueKind != JsonValueKind.Number || !list[i].TryGetInt64(out numbers[i]) || numbers[i] < 0)
                throw Broken($"{tensor} has something other than a whole number from 0 in {key}");
        }

        return numbers;
    }

    // The product of the sizes; null where a size is larger than an int, or the product than a long.
    private static long? Elements(long[] shape)
    {
        long product = 1;
        foreach (long size in shape)
        {
            UInt128 larger = (UInt128)product * (ulong)size;
            if (size > int.MaxValue || larger > long.MaxValue)
                return null;
            product = (long)larger;
        }

        return product;
    }

    // In the order of their bytes, tensors follow each other without hole or overlap, from the header to the end of the file.
    private void CheckCover(long dataBytes)
    {
        long covered = 0;
        foreach (SafetensorsEntry entry in tensors.Values.OrderBy(entry => entry.Begin).ThenBy(entry => entry.End))
        {
            string tensor = $"tensor {Excerpt.Of(entry.Name)}";
            if (entry.Begin != covered)
                throw Broken($"{tensor} begins at byte {entry.Begin} of the values, but the one before it ends at {covered}");
            if (entry.End > dataBytes)
                throw Broken($"it ends inside {tensor}: {dataBytes} bytes of values where {entry.End} are needed");
            covered = entry.End;
        }

        if (covered != dataBytes)
            throw Broken($"{dataBytes - covered} bytes after the last tensor belong to none");
    }
}
