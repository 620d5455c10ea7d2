using System.Globalization;

namespace TinyMoE.Configuration;

/// <summary>
/// A whole number for every layer: one for all, or several that repeat from the first layer on ([128, 0]: 128 in layers 0, 2, 4..., 0 in
/// the others). In JSON a number or a list, in <c>--set</c> numbers separated by commas. Equal lists are equal.
/// </summary>
public sealed class PerLayer : IEquatable<PerLayer>
{
    /// <summary>The numbers of the first layers, at least one.</summary>
    public PerLayer(params IReadOnlyList<int> values) =>
        Values = values.Count > 0 ? values : throw new ArgumentException("A number per layer needs at least one number.");

    /// <summary>The numbers before they repeat.</summary>
    public IReadOnlyList<int> Values { get; }

    /// <summary>The number of a layer, counted from 0.</summary>
    public int this[int layer] => Values[layer % Values.Count];

    /// <summary>The same number for all layers.</summary>
    public static implicit operator PerLayer(int value) => new(value);

    /// <inheritdoc/>
    public bool Equals(PerLayer? other) => other is not null && Values.SequenceEqual(other.Values);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as PerLayer);

    /// <inheritdoc/>
    public override int GetHashCode() => Values.Aggregate(0, HashCode.Combine);

    /// <summary>As in <c>--set</c>: "128,0".</summary>
    public override string ToString() => string.Join(',', Values);

    /// <summary>What <see cref="ToString"/> writes; null where it is anything else.</summary>
    internal static PerLayer? Parse(string text)
    {
        List<int> values = [];
        foreach (string item in text.Split(',', StringSplitOptions.TrimEntries))
        {
            if (!int.TryParse(item, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out int value))
                return null;
            values.Add(value);
        }

        return new PerLayer(values);
    }
}
