using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;

namespace TinyMoE.Tests.Golden;

/// <summary>
/// A golden of tests/golden: one small model's configuration, weights, batch, logits, losses and gradients by PyTorch (names in the README there).
/// It reads safetensors by itself, so that the library's reader is not what vouches for the library.
/// </summary>
internal sealed class GoldenFile
{
    private readonly Dictionary<string, (int[] Shape, float[] Values)> tensors;

    private GoldenFile(string config, Dictionary<string, (int[] Shape, float[] Values)> tensors) => (Config, this.tensors) = (config, tensors);

    /// <summary>The run configuration of the model, JSON.</summary>
    public string Config { get; }

    /// <summary>The names of the tensors, in the order of the file.</summary>
    public IEnumerable<string> Names => tensors.Keys;

    /// <summary>The values of tensor <paramref name="name"/>, row-major.</summary>
    public float[] this[string name] => tensors[name].Values;

    /// <summary>Reads <c>name.json</c> and <c>name.safetensors</c>.</summary>
    public static GoldenFile Load(string name) => new(Text(name + ".json"), Read(File.ReadAllBytes(PathOf(name + ".safetensors"))));

    /// <summary>The text of a file of tests/golden, as "routers.json".</summary>
    public static string Text(string file) => File.ReadAllText(PathOf(file));

    /// <summary>The sizes of tensor <paramref name="name"/>.</summary>
    public int[] Shape(string name) => tensors[name].Shape;

    /// <summary>The values of <paramref name="name"/> (ids, targets) as whole numbers.</summary>
    public int[] Ints(string name) => Array.ConvertAll(this[name], value => (int)value);

    /// <summary>Whether there is a tensor <paramref name="name"/>.</summary>
    public bool Has(string name) => tensors.ContainsKey(name);

    /// <summary>The names after <paramref name="prefix"/> of the tensors that begin with it: <c>NamesUnder("param/")</c> are the parameters.</summary>
    public IEnumerable<string> NamesUnder(string prefix) =>
        Names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).Select(name => name[prefix.Length..]);

    private static string PathOf(string file) => Path.Combine(AppContext.BaseDirectory, "golden", file);

    /// <summary>The format: eight bytes of length (little-endian), a JSON header of name, dtype, shape and byte range, the values.</summary>
    private static Dictionary<string, (int[] Shape, float[] Values)> Read(byte[] file)
    {
        int length = (int)BinaryPrimitives.ReadInt64LittleEndian(file);
        ReadOnlySpan<byte> values = file.AsSpan(8 + length);
        using JsonDocument header = JsonDocument.Parse(file.AsMemory(8, length));
        Dictionary<string, (int[] Shape, float[] Values)> tensors = [];
        foreach (JsonProperty entry in header.RootElement.EnumerateObject().Where(entry => entry.Name != "__metadata__"))
        {
            Assert.Equal("F32", entry.Value.GetProperty("dtype").GetString());
            int[] shape = [.. entry.Value.GetProperty("shape").EnumerateArray().Select(size => size.GetInt32())];
            int[] range = [.. entry.Value.GetProperty("data_offsets").EnumerateArray().Select(offset => offset.GetInt32())];
            tensors.Add(entry.Name, (shape, MemoryMarshal.Cast<byte, float>(values[range[0]..range[1]]).ToArray()));
        }

        return tensors;
    }
}
