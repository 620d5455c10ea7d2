using System.Buffers.Binary;
using System.Text;
using System.Text.Json.Nodes;
using TinyMoE.Files;

namespace TinyMoE.Fuzz;

/// <summary>
/// A model in two shards, of which one file is another. What loads has the tensors of the index, each in the shard that it names. An input
/// is the name of a file, a line break, and what it holds.
/// </summary>
internal sealed class SafetensorsFolderTarget : Target
{
    private const string First = "model-00001-of-00002.safetensors", Second = "model-00002-of-00002.safetensors";

    private static readonly Dictionary<string, byte[]> Whole = new()
    {
        [SafetensorsIndex.FileName] = Encoding.UTF8.GetBytes(
            $$"""{"metadata":{"total_size":16},"weight_map":{"a":"{{First}}","b":"{{First}}","c":"{{Second}}"} }"""),
        [First] = Shard(
            """{"a":{"dtype":"BF16","shape":[2,1],"data_offsets":[0,4]},"b":{"dtype":"F8_E4M3","shape":[4],"data_offsets":[4,8]}}"""),
        [Second] = Shard("""{"__metadata__":{"format":"pt"},"c":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"""),
    };

    /// <inheritdoc/>
    public override string Name => "folder";

    /// <inheritdoc/>
    public override IEnumerable<byte[]> Made(string folder) =>
        [.. Whole.Select(file => (byte[])[.. Encoding.UTF8.GetBytes(file.Key + '\n'), .. file.Value])];

    /// <inheritdoc/>
    public override string? Read(byte[] input, string folder)
    {
        int end = Array.IndexOf(input, (byte)'\n');
        string? changed = Whole.Keys.FirstOrDefault(name => end >= 0 && input.AsSpan(0, end).SequenceEqual(Encoding.UTF8.GetBytes(name)));
        if (changed is null)
            return null; // the name itself was changed
        foreach ((string name, byte[] content) in Whole)
            Write(folder, name, name == changed ? input[(end + 1)..] : content);

        using SafetensorsFolder weights = SafetensorsFolder.Open(folder);
        JsonNode index = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, SafetensorsIndex.FileName)))!;
        Dictionary<string, string> map = index["weight_map"]!.AsObject().ToDictionary(
            tensor => tensor.Key, tensor => Path.Combine(folder, tensor.Value!.GetValue<string>()));
        if (!map.Keys.Order().SequenceEqual(weights.Tensors.Keys.Order()))
            return "it has other tensors than the index";
        foreach (SafetensorsEntry entry in weights.Tensors.Values)
        {
            if (weights.FileOf(entry) != map[entry.Name])
                return $"tensor {entry.Name} is in another file than the index says";
        }

        return weights.Files.Select(path => NaiveSafetensors.Compare(path, File.ReadAllBytes(path)))
            .FirstOrDefault(wrong => wrong is not null);
    }

    private static byte[] Shard(string header)
    {
        byte[] json = Encoding.UTF8.GetBytes(header), length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        return [.. length, .. json, .. new byte[8]];
    }
}
