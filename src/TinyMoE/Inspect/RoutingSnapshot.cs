using System.Globalization;
using Microsoft.Win32.SafeHandles;
using TinyMoE.Files;

namespace TinyMoE.Inspect;

/// <summary>
/// What the last evaluation of a run saw of its routers, for the next one to be compared with: <c>routing.safetensors</c> of a checkpoint,
/// with <c>layers.I.top_expert</c> (tokens) and <c>layers.I.load</c> (E) of each layer I, so that a resumed run tells the same as one that
/// never stopped.
/// </summary>
internal sealed class RoutingSnapshot
{
    private const string Prefix = "layers.", TopExpertSuffix = ".top_expert", LoadSuffix = ".load";

    private readonly SortedDictionary<int, (int[] TopExperts, float[] Load)> layers = [];

    /// <summary>The empty snapshot that a run has before its first evaluation.</summary>
    public static RoutingSnapshot None => new();

    /// <summary>Reads what <see cref="Save"/> wrote from an open file, which <paramref name="path"/> names in errors.</summary>
    public static RoutingSnapshot Load(SafeFileHandle handle, string path)
    {
        RoutingSnapshot snapshot = new();
        using SafetensorsReader file = SafetensorsReader.Open(handle, path);
        foreach (string name in file.Tensors.Keys.Where(name => name.EndsWith(LoadSuffix, StringComparison.Ordinal)))
        {
            string prefix = name[..^LoadSuffix.Length];
            if (!prefix.StartsWith(Prefix, StringComparison.Ordinal)
                || !int.TryParse(prefix.AsSpan(Prefix.Length), NumberStyles.None, CultureInfo.InvariantCulture, out int layer))
            {
                throw new TinyMoEException(
                    $"{path} does not hold what an evaluation saw of routers; the checkpoint is damaged, use another.");
            }

            snapshot.Set(layer, [.. Read(file, prefix + TopExpertSuffix).Select(e => (int)e)], Read(file, name));
        }

        return snapshot;
    }

    /// <summary>Writes the snapshot as a file, or nothing if it is empty.</summary>
    public void Save(string path)
    {
        if (layers.Count > 0)
            SafetensorsWriter.Write(path, [.. layers.SelectMany(layer => Items(layer.Key, layer.Value.TopExperts, layer.Value.Load))]);
    }

    /// <summary>Keeps what an evaluation saw of a layer.</summary>
    public void Set(int layer, int[] topExperts, float[] load) => layers[layer] = (topExperts, load);

    /// <summary>The top expert of each token; none if the layer was not seen.</summary>
    public IReadOnlyList<int> TopExperts(int layer) => layers.TryGetValue(layer, out var seen) ? seen.TopExperts : [];

    /// <summary>Whether the layer was seen, and no token chose this expert.</summary>
    public bool IsDead(int layer, int expert) =>
        layers.TryGetValue(layer, out var seen) && expert < seen.Load.Length && seen.Load[expert] == 0f;

    private static IEnumerable<SafetensorsItem> Items(int layer, int[] topExperts, float[] load)
    {
        string prefix = string.Create(CultureInfo.InvariantCulture, $"{Prefix}{layer}");
        yield return new SafetensorsItem(prefix + TopExpertSuffix, [topExperts.Length], () => Array.ConvertAll(topExperts, e => (float)e));
        yield return new SafetensorsItem(prefix + LoadSuffix, [load.Length], () => load);
    }

    private static float[] Read(SafetensorsReader file, string name)
    {
        float[] values = new float[file.Tensors.TryGetValue(name, out SafetensorsEntry? entry) ? entry.Count : 0];
        file.Read(name, [values.Length], values);
        return values;
    }
}
