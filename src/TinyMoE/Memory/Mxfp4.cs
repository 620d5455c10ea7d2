using System.Numerics.Tensors;

namespace TinyMoE.Memory;

/// <summary>
/// Blocks of 32 four-bit floats with one power of two (MXFP4; Open Compute Project, Microscaling Formats 1.0): 1 sign, 2 exponent and 1
/// fraction bit, times 2^(scale − 127); a scale of 255 is NaN.
/// </summary>
internal static class Mxfp4
{
    /// <summary>Values of a block.</summary>
    public const int BlockLength = 32;

    /// <summary>Bytes of a block's values.</summary>
    public const int BlockBytes = BlockLength / 2;

    private static readonly float[] Codes = [0f, 0.5f, 1f, 1.5f, 2f, 3f, 4f, 6f, -0f, -0.5f, -1f, -1.5f, -2f, -3f, -4f, -6f];

    /// <summary>What each byte holds: its low half first.</summary>
    private static readonly float[] Pairs = [.. Enumerable.Range(0, 256).SelectMany(pair => new[] { Codes[pair & 15], Codes[pair >> 4] })];

    private static readonly float[] Scales =
        [.. Enumerable.Range(0, 256).Select(scale => scale == 255 ? float.NaN : MathF.ScaleB(1f, scale - 127))];

    /// <summary>The value of a code, 0 to 15, under the scale 127.</summary>
    public static float Widen(int code) => Codes[code];

    /// <summary>
    /// Whole blocks as floats, in the order of Hugging Face's files: a byte holds two neighbours, the first of them in its low half.
    /// blocks (n, 16), scales (n), destination (n, 32).
    /// </summary>
    public static void Widen(ReadOnlySpan<byte> blocks, ReadOnlySpan<byte> scales, Span<float> destination)
    {
        if (blocks.Length != (long)scales.Length * BlockBytes || destination.Length != (long)scales.Length * BlockLength)
        {
            throw new ArgumentException(
                $"{scales.Length} scales do not go with {blocks.Length} bytes and {destination.Length} values.");
        }

        ReadOnlySpan<float> pairs = Pairs;
        for (int block = 0; block < scales.Length; block++)
        {
            ReadOnlySpan<byte> codes = blocks.Slice(block * BlockBytes, BlockBytes);
            Span<float> values = destination.Slice(block * BlockLength, BlockLength);
            for (int i = 0; i < codes.Length; i++)
            {
                values[2 * i] = pairs[2 * codes[i]];
                values[2 * i + 1] = pairs[2 * codes[i] + 1];
            }

            TensorPrimitives.Multiply(values, Scales[scales[block]], values);
        }
    }
}
