namespace TinyMoE.Files;

/// <summary>
/// The weights of a model in one or several safetensors files, as Hugging Face keeps them: <c>model.safetensors</c>, or
/// <c>model.safetensors.index.json</c> and the shards that it names. Opening checks the headers of all files, and that the index and the
/// shards say the same; errors are one line and name the file. Values are read as by a <see cref="SafetensorsReader"/>.
/// </summary>
public sealed class SafetensorsFolder : IDisposable
{
    private static readonly string[] OtherFormats = ["pytorch_model.bin", "pytorch_model.bin.index.json", "consolidated.00.pth"];

    private readonly List<SafetensorsReader> files = [];
    private readonly Dictionary<string, SafetensorsReader> homes = [];
    private readonly Dictionary<string, SafetensorsEntry> tensors = [];

    private SafetensorsFolder(string path) => Place = path;

    /// <summary>What was opened, as errors name it: the folder, or the one file.</summary>
    public string Place { get; }

    /// <summary>The tensors of all files by name.</summary>
    public IReadOnlyDictionary<string, SafetensorsEntry> Tensors => tensors;

    /// <summary>The paths of the files.</summary>
    public IReadOnlyList<string> Files => [.. files.Select(file => file.FilePath)];

    /// <summary>Bytes of all tensors.</summary>
    public long Bytes => tensors.Values.Sum(entry => entry.Bytes);

    /// <summary>Opens the weights in a folder.</summary>
    /// <exception cref="TinyMoEException">There are none, or they are not whole, or files contradict each other.</exception>
    public static SafetensorsFolder Open(string folder)
    {
        string index = Path.Combine(folder, SafetensorsIndex.FileName), single = Path.Combine(folder, RunFiles.Model);
        if (Path.Exists(index))
            return OpenShards(folder, index, SafetensorsIndex.Read(index));
        if (Path.Exists(single))
            return OpenFile(single);
        if (!Directory.Exists(folder))
            throw new TinyMoEException($"Cannot read {folder}: no such folder.");
        string other = Array.Find(OtherFormats, name => File.Exists(Path.Combine(folder, name))) is { } found
            ? $" Its {found} is of a format that can run code when it is read: use a copy of the model in safetensors."
            : " Give the folder of a model.";
        throw new TinyMoEException($"{folder} has neither {RunFiles.Model} nor {SafetensorsIndex.FileName}.{other}");
    }

    /// <summary>Opens the weights in one file.</summary>
    public static SafetensorsFolder OpenFile(string path) => Of(Reader(path), path);

    /// <summary>The weights of a file that is open; it is closed with them.</summary>
    internal static SafetensorsFolder Of(SafetensorsReader reader, string place)
    {
        SafetensorsFolder opened = new(place);
        opened.files.Add(reader);
        foreach (SafetensorsEntry entry in reader.Tensors.Values)
            opened.Add(entry, reader);
        return opened;
    }

    /// <summary>The path of the file that a tensor is in.</summary>
    public string FileOf(SafetensorsEntry entry) => HomeOf(entry).FilePath;

    /// <summary>The free texts of the file that a tensor is in.</summary>
    internal IReadOnlyDictionary<string, string> MetadataOf(SafetensorsEntry entry) => HomeOf(entry).Metadata;

    /// <summary>The tensor <paramref name="name"/>, which must have shape <paramref name="shape"/>.</summary>
    /// <exception cref="TinyMoEException">There is none, or it has another shape.</exception>
    public SafetensorsEntry Find(string name, ReadOnlySpan<int> shape) => homes.TryGetValue(name, out SafetensorsReader? file)
        ? file.Find(name, shape)
        : throw new TinyMoEException($"{Place} has no tensor {Excerpt.Of(name)}: it was written for another model.");

    /// <summary>Reads elements of a tensor from <paramref name="first"/> on; what has fewer bits is widened, without a scale.</summary>
    /// <exception cref="TinyMoEException">No weights are read from its type, or the file cannot be read.</exception>
    public void Read(SafetensorsEntry entry, long first, Span<float> destination) => HomeOf(entry).Read(entry, first, destination);

    /// <summary>Reads elements of a bfloat16 or float16 tensor from <paramref name="first"/> on as they are.</summary>
    public void Read(SafetensorsEntry entry, long first, Span<ushort> destination) => HomeOf(entry).Read(entry, first, destination);

    /// <summary>Reads bytes of a tensor of one-byte elements, as of U8 and F8_E4M3, from <paramref name="first"/> on.</summary>
    public void Read(SafetensorsEntry entry, long first, Span<byte> destination) => HomeOf(entry).Read(entry, first, destination);

    /// <summary>
    /// The address of a tensor in a mapping of its whole file, which lives as long as this; 0 where it is not at a multiple of its
    /// element's size.
    /// </summary>
    public nint AddressOf(SafetensorsEntry entry) => HomeOf(entry).AddressOf(entry);

    /// <summary>
    /// Whether <paramref name="count"/> values from <paramref name="first"/> on, of a tensor in float32, bfloat16 or float16 that has an
    /// address, are all finite. All cores look at them.
    /// </summary>
    internal bool AreFinite(SafetensorsEntry entry, long first, long count) =>
        MappedValues.AreFinite(AddressOf(entry) + (nint)(first * entry.ElementBytes), entry.Type, count);

    /// <summary>Whether two tensors are in one file.</summary>
    internal bool AreInOneFile(SafetensorsEntry a, SafetensorsEntry b) => HomeOf(a) == HomeOf(b);

    /// <summary>Ends the mappings and closes the files.</summary>
    public void Dispose()
    {
        foreach (SafetensorsReader file in files)
            file.Dispose();
    }

    private static SafetensorsFolder OpenShards(string folder, string index, Dictionary<string, string> map)
    {
        SafetensorsFolder opened = new(folder);
        try
        {
            Dictionary<string, SafetensorsReader> shards = [];
            foreach (string name in map.Values)
            {
                if (!shards.ContainsKey(name))
                    opened.files.Add(shards[name] = Reader(Path.Combine(folder, name), listedIn: index));
            }

            if (!shards.ContainsKey(RunFiles.Model) && Path.Exists(Path.Combine(folder, RunFiles.Model)))
            {
                throw new TinyMoEException(
                    $"{folder} has a {RunFiles.Model} that {SafetensorsIndex.FileName} does not name, so which of them is the model is "
                    + "not clear; remove one.");
            }

            foreach ((string name, SafetensorsReader shard) in shards)
                opened.AddShard(name, shard, index, map);
            foreach ((string tensor, string name) in map)
            {
                if (!shards[name].Tensors.ContainsKey(tensor))
                    throw new TinyMoEException($"{index} says that tensor {Excerpt.Of(tensor)} is in {name}, which lacks it; {Again}");
            }

            return opened;
        }
        catch
        {
            opened.Dispose();
            throw;
        }
    }

    private const string Again = "take another copy of the model.";

    private static SafetensorsReader Reader(string path, string? listedIn = null)
    {
        if (FilePlace.NotRegular(path) is { } kind)
            throw new TinyMoEException($"{path} is {kind} and no file; use a copy of the model on disk.");
        if (Directory.Exists(path))
            throw new TinyMoEException($"{path} is a folder and should be a file; {Again}");
        if (listedIn is not null && !File.Exists(path))
            throw new TinyMoEException($"Cannot read {path}: no such file, and {Path.GetFileName(listedIn)} names it; {Again}");
        return SafetensorsReader.Open(path);
    }

    private void AddShard(string name, SafetensorsReader shard, string index, Dictionary<string, string> map)
    {
        foreach (SafetensorsEntry entry in shard.Tensors.Values)
        {
            string tensor = Excerpt.Of(entry.Name);
            if (!map.TryGetValue(entry.Name, out string? home))
                throw new TinyMoEException($"{shard.FilePath} has the tensor {tensor}, which {index} does not name; {Again}");
            if (homes.TryGetValue(entry.Name, out SafetensorsReader? other))
                throw new TinyMoEException($"The tensor {tensor} is in {other.FilePath} and in {shard.FilePath}; {Again}");
            if (home != name)
                throw new TinyMoEException($"{shard.FilePath} has the tensor {tensor}, which {index} says is in {home}; {Again}");
            Add(entry, shard);
        }
    }

    private void Add(SafetensorsEntry entry, SafetensorsReader file)
    {
        homes.Add(entry.Name, file);
        tensors.Add(entry.Name, entry);
    }

    private SafetensorsReader HomeOf(SafetensorsEntry entry) => homes.TryGetValue(entry.Name, out SafetensorsReader? file)
        ? file
        : throw new ArgumentException($"{Place} has no tensor {entry.Name}.");
}
