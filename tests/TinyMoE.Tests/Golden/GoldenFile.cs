using TinyMoE.Files;

namespace TinyMoE.Tests.Golden;

/// <summary>
/// A golden of tests/golden: one small model's configuration, weights, batch, logits, losses and gradients by PyTorch (names in the
/// README there).
/// </summary>
internal sealed class GoldenFile
{
    private readonly Dictionary<string, (int[] Shape, float[] Values)> tensors;

    private GoldenFile(string config, Dictionary<string, (int[] Shape, float[] Values)> tensors) =>
        (Config, this.tensors) = (config, tensors);

    /// <summary>The run configuration of the model, JSON.</summary>
    public string Config { get; }

    /// <summary>The names of the tensors, in the order of the file.</summary>
    public IEnumerable<string> Names => tensors.Keys;

    /// <summary>The values of tensor <paramref name="name"/>, row-major.</summary>
    public float[] this[string name] => tensors[name].Values;

    /// <summary>Reads <c>name.json</c> and <c>name.safetensors</c>.</summary>
    public static GoldenFile Load(string name) => new(Text(name + ".json"), Read(PathOf(name + ".safetensors")));

    /// <summary>The text of a file of tests/golden, as "routers.json".</summary>
    public static string Text(string file) => File.ReadAllText(PathOf(file));

    /// <summary>The sizes of tensor <paramref name="name"/>.</summary>
    public int[] Shape(string name) => tensors[name].Shape;

    /// <summary>The values of <paramref name="name"/> (ids, targets) as whole numbers.</summary>
    public int[] Ints(string name) => Array.ConvertAll(this[name], value => (int)value);

    /// <summary>Whether there is a tensor <paramref name="name"/>.</summary>
    public bool Has(string name) => tensors.ContainsKey(name);

    /// <summary>
    /// The names after <paramref name="prefix"/> of the tensors that begin with it: <c>NamesUnder("param/")</c> are the parameters.
    /// </summary>
    public IEnumerable<string> NamesUnder(string prefix) =>
        Names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).Select(name => name[prefix.Length..]);

    private static string PathOf(string file) => Path.Combine(AppContext.BaseDirectory, "golden", file);

    private static Dictionary<string, (int[] Shape, float[] Values)> Read(string path)
    {
        using SafetensorsReader file = SafetensorsReader.Open(path);
        Dictionary<string, (int[] Shape, float[] Values)> tensors = [];
        foreach (SafetensorsEntry entry in file.Tensors.Values)
        {
            (int[] Shape, float[] Values) tensor = ([.. entry.Shape], new float[entry.Count]);
            file.Read(entry.Name, tensor.Shape, tensor.Values);
            tensors.Add(entry.Name, tensor);
        }

        return tensors;
    }
}
