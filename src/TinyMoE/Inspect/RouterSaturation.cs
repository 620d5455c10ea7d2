namespace TinyMoE.Inspect;

/// <summary>How far the routers of a model chose already as they do later, layer by layer.</summary>
/// <param name="Layer">The layer, from 0.</param>
/// <param name="First">The share of tokens whose first choice is the same: saturation for k = 1.</param>
/// <param name="All">The share of the later choices that were made earlier as well: saturation for k = K.</param>
public sealed record LayerSaturation(int Layer, float First, float All);

/// <summary>
/// Router saturation (Muennighoff et al. 2024): the mean over tokens of |chosen then ∩ chosen in the end| / k, of the same text in two
/// states of a model.
/// </summary>
public sealed class RouterSaturation
{
    private readonly SortedDictionary<int, Counts> layers = [];

    /// <summary>The saturation of each layer.</summary>
    public IReadOnlyList<LayerSaturation> Layers =>
        [.. layers.Select(layer => new LayerSaturation(layer.Key, layer.Value.First, layer.Value.All))];

    /// <summary>Adds the same tokens as an earlier model and the later one route them.</summary>
    /// <exception cref="ArgumentException">They are not the same tokens, or not the same layers.</exception>
    public void Add(TraceBatch earlier, TraceBatch later)
    {
        if (!earlier.Ids.AsSpan().SequenceEqual(later.Ids) || earlier.Layers.Count != later.Layers.Count)
            throw new ArgumentException("Saturation is of the same tokens and layers.", nameof(later));
        foreach ((TraceLayer before, TraceLayer after) in earlier.Layers.Zip(later.Layers))
        {
            if (before.Layer != after.Layer)
                throw new ArgumentException("Saturation is of the same layers.", nameof(later));
            if (!layers.TryGetValue(after.Layer, out Counts? counts))
                layers[after.Layer] = counts = new Counts();
            for (int n = 0; n < later.Ids.Length; n++)
            {
                if (later.Traced[n])
                    counts.Add(Chosen(before, n), Chosen(after, n));
            }
        }
    }

    private static ReadOnlySpan<int> Chosen(TraceLayer layer, int n) => layer.Expert.AsSpan(layer.Offsets[n]..layer.Offsets[n + 1]);

    private sealed class Counts
    {
        private long tokens, same, choices, kept;

        public float First => tokens == 0 ? 0f : (float)((double)same / tokens);

        public float All => choices == 0 ? 0f : (float)((double)kept / choices);

        public void Add(ReadOnlySpan<int> before, ReadOnlySpan<int> after)
        {
            if (after.IsEmpty)
                return;
            (tokens, choices) = (tokens + 1, choices + after.Length);
            same += !before.IsEmpty && before[0] == after[0] ? 1 : 0;
            foreach (int e in after)
                kept += before.Contains(e) ? 1 : 0;
        }
    }
}
