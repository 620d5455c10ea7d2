using System.Globalization;

namespace TinyMoE.Configuration;

/// <summary>
/// Some layers of a model, counted from 0; none by default. In JSON a list, in <c>--set</c> numbers separated by commas, or <c>none</c>.
/// Equal lists are equal.
/// </summary>
public sealed class LayerList : IEquatable<LayerList>
{
    private const string Nothing = "none";

    /// <summary>These layers.</summary>
    public LayerList(params IReadOnlyList<int> layers) => Layers = layers;

    /// <summary>No layer.</summary>
    public static LayerList None { get; } = new();

    /// <summary>The layers, in the order they were given.</summary>
    public IReadOnlyList<int> Layers { get; }

    /// <summary>Whether a layer is in the list.</summary>
    public bool Contains(int layer) => Layers.Contains(layer);

    /// <inheritdoc/>
    public bool Equals(LayerList? other) => other is not null && Layers.SequenceEqual(other.Layers);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as LayerList);

    /// <inheritdoc/>
    public override int GetHashCode() => Layers.Aggregate(0, HashCode.Combine);

    /// <summary>As in <c>--set</c>: "0,3", or "none".</summary>
    public override string ToString() => Layers.Count == 0 ? Nothing : string.Join(',', Layers);

    /// <summary>What <see cref="ToString"/> writes; null where it is anything else.</summary>
    internal static LayerList? Parse(string text)
    {
        if (string.IsNullOrWhiteSpace(text) || text == Nothing)
            return None;
        List<int> layers = [];
        foreach (string item in text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (!int.TryParse(item, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int layer))
                return null;
            layers.Add(layer);
        }

        return new LayerList(layers);
    }
}
