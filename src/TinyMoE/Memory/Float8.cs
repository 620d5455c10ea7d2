namespace TinyMoE.Memory;

/// <summary>
/// Eight-bit floats of 1 sign, 4 exponent and 3 fraction bits without infinities (E4M3FN; Micikevicius et al. 2022): bias 7, up to 448,
/// of all exponents and fractions only the largest is NaN.
/// </summary>
internal static class Float8
{
    private static readonly float[] Values = [.. Enumerable.Range(0, 256).Select(code => Decode(code))];

    /// <summary>The float of the same value, exactly.</summary>
    public static float Widen(byte code) => Values[code];

    /// <summary>
    /// The values of <paramref name="source"/> as floats, exactly. source, destination (n); the source may be the last quarter of the
    /// destination's memory.
    /// </summary>
    public static void Widen(ReadOnlySpan<byte> source, Span<float> destination)
    {
        if (destination.Length < source.Length)
            throw new ArgumentException($"{source.Length} values do not fit into {destination.Length}.");
        ReadOnlySpan<float> values = Values;
        for (int i = 0; i < source.Length; i++)
            destination[i] = values[source[i]];
    }

    /// <summary>
    /// Multiplies elements of a matrix by the scales of their blocks. scales (⌈rows/blockRows⌉, ⌈columns/blockColumns⌉): a block at an
    /// edge may be smaller than the others.
    /// </summary>
    /// <param name="values">Elements of the matrix one behind the other, from the one at <paramref name="first"/> on.</param>
    /// <param name="first">The place of the first one in the matrix, row-major.</param>
    /// <param name="columns">Columns of the matrix.</param>
    /// <param name="scales">The scales of all blocks, row-major.</param>
    /// <param name="blockRows">Rows of a block.</param>
    /// <param name="blockColumns">Columns of a block.</param>
    public static void Scale(
        Span<float> values, long first, int columns, ReadOnlySpan<float> scales, int blockRows, int blockColumns)
    {
        int across = columns == 0 ? 0 : Ceiling.Divide(columns, blockColumns);
        while (!values.IsEmpty)
        {
            (long row, long column) = Math.DivRem(first, columns);
            long block = column / blockColumns;
            int length = (int)Math.Min(values.Length, Math.Min(columns, (block + 1) * blockColumns) - column);
            float scale = scales[checked((int)(row / blockRows * across + block))];
            System.Numerics.Tensors.TensorPrimitives.Multiply(values[..length], scale, values[..length]);
            values = values[length..];
            first += length;
        }
    }

    private static float Decode(int code)
    {
        int exponent = code >> 3 & 15, fraction = code & 7;
        float size = exponent == 15 && fraction == 7 ? float.NaN
            : exponent == 0 ? MathF.ScaleB(fraction, -9)
            : MathF.ScaleB(8 + fraction, exponent - 10);
        return (code & 128) == 0 ? size : -size;
    }
}
