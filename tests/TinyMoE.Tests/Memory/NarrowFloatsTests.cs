using System.Runtime.InteropServices;
using TinyMoE.Memory;

namespace TinyMoE.Tests.Memory;

/// <summary>Float formats of 16, 8 and 4 bits, beside what their definitions say.</summary>
public sealed class NarrowFloatsTests
{
    [Fact]
    public void Float8_EveryCode_IsItsValue()
    {
        for (int code = 0; code < 256; code++)
            Assert.Equal(Float8Value((byte)code), Float8.Widen((byte)code));
        Assert.Equal((448f, -448f, MathF.Pow(2, -9), MathF.Pow(2, -6)),
            (Float8.Widen(0x7E), Float8.Widen(0xFE), Float8.Widen(0x01), Float8.Widen(0x08)));
        Assert.True(float.IsNaN(Float8.Widen(0x7F)) && float.IsNaN(Float8.Widen(0xFF)) && float.IsNegative(Float8.Widen(0x80)));
    }

    /// <summary>(−1)^s · 2^(e − 7) · (1 + f/8), and f/8 · 2^−6 for e = 0; NaN for all ones.</summary>
    internal static float Float8Value(byte code)
    {
        int sign = code >> 7, exponent = code >> 3 & 15, fraction = code & 7;
        double size = exponent == 0 ? fraction / 8.0 * Math.Pow(2, -6) : (1 + fraction / 8.0) * Math.Pow(2, exponent - 7);
        return (code & 127) == 127 ? float.NaN : (float)(sign == 0 ? size : -size);
    }

    [Theory]
    [InlineData(5, 7, 2, 3)]
    [InlineData(256, 384, 128, 128)]
    [InlineData(130, 300, 128, 128)]
    [InlineData(3, 5, 128, 128)]
    [InlineData(4, 4, 1, 4)]
    public void Float8_ScaledInBlocks_RaggedAtTheEdges_InAnyPieces(int rows, int columns, int blockRows, int blockColumns)
    {
        int down = (rows + blockRows - 1) / blockRows, across = (columns + blockColumns - 1) / blockColumns;
        float[] scales = [.. Enumerable.Range(1, down * across).Select(i => 1f / i)];
        float[] values = [.. Enumerable.Range(0, rows * columns).Select(i => (float)(i % 97 - 40))], expected = [.. values];
        for (int i = 0; i < expected.Length; i++)
            expected[i] *= scales[i / columns / blockRows * across + i % columns / blockColumns];

        foreach (int piece in (int[])[1, 13, 1000, values.Length])
        {
            float[] actual = [.. values];
            for (int first = 0; first < actual.Length; first += piece)
                Float8.Scale(actual.AsSpan(first, Math.Min(piece, actual.Length - first)), first, columns, scales, blockRows, blockColumns);
            Assert.Equal(expected, actual);
        }
    }

    [Fact]
    public void Mxfp4_EveryCodeAndScale_TheLowHalfFirst()
    {
        float[] codes = [0f, 0.5f, 1f, 1.5f, 2f, 3f, 4f, 6f];
        byte[] blocks = new byte[256 * 16], scales = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        new Random(1).NextBytes(blocks);
        float[] values = new float[256 * 32];
        Mxfp4.Widen(blocks, scales, values);
        for (int i = 0; i < values.Length; i++)
        {
            int code = i % 2 == 0 ? blocks[i / 2] & 15 : blocks[i / 2] >> 4, scale = scales[i / 32];
            double value = codes[code & 7] * (code >= 8 ? -1 : 1) * Math.Pow(2, scale - 127);
            Assert.Equal(scale == 255 ? float.NaN : (float)value, values[i]);
        }

        Assert.Throws<ArgumentException>(() => Mxfp4.Widen(blocks, scales, new float[31]));
        Assert.Throws<ArgumentException>(() => Mxfp4.Widen(blocks.AsSpan(1), scales, values));
    }

    [Fact]
    public void Float16_EveryValue_WidensExactly_AndComesBack()
    {
        ushort[] all = [.. Enumerable.Range(0, 1 << 16).Select(i => (ushort)i)];
        float[] wide = new float[all.Length];
        ushort[] again = new ushort[all.Length];
        Float16.Widen(all, wide);
        Float16.Narrow(wide, again);
        for (int i = 0; i < all.Length; i++)
        {
            Half half = BitConverter.UInt16BitsToHalf(all[i]);
            Assert.Equal((float)half, wide[i]);
            Assert.Equal(float.IsNegative(wide[i]), Half.IsNegative(half));
            if (!Half.IsNaN(half))
                Assert.Equal((all[i], BitConverter.SingleToInt32Bits((float)half)), (again[i], BitConverter.SingleToInt32Bits(wide[i])));
            Assert.Equal(Half.IsFinite(half), Float16.IsFiniteAll([all[i]]));
        }
    }

    /// <summary>
    /// At and beside the middle between neighbours: the even one of the two gets the tie. Subnormals, what rounds to zero, to the largest
    /// and to an infinity are among them.
    /// </summary>
    [Fact]
    public void Float16_Narrow_TakesTheNearest_TiesToTheEvenOne()
    {
        List<float> values =
            [65504f, 65519.996f, 65520f, 1e9f, float.PositiveInfinity, float.NaN, MathF.Pow(2, -25), 1e-30f, float.Epsilon];
        List<ushort> expected = [0x7BFF, 0x7BFF, 0x7C00, 0x7C00, 0x7C00, 0, 0, 0, 0];
        for (int bits = 0; bits < 0x7BFF; bits++)
        {
            float low = Float16.Widen((ushort)bits), high = Float16.Widen((ushort)(bits + 1)), middle = (low + high) / 2;
            values.AddRange([middle, MathF.BitDecrement(middle), MathF.BitIncrement(middle)]);
            expected.AddRange([(ushort)(bits + (bits & 1)), (ushort)bits, (ushort)(bits + 1)]);
        }

        ushort[] narrow = new ushort[values.Count], negative = new ushort[values.Count];
        Float16.Narrow(CollectionsMarshal.AsSpan(values), narrow);
        Float16.Narrow(values.Select(value => -value).ToArray(), negative);
        for (int i = 0; i < narrow.Length; i++)
        {
            if (float.IsNaN(values[i]))
                Assert.True(float.IsNaN(Float16.Widen(narrow[i])));
            else
                Assert.Equal(
                    (expected[i], (ushort)(expected[i] | 0x8000), expected[i]), (narrow[i], negative[i], Float16.Narrow(values[i])));
        }
    }

    [Fact]
    public void Bfloat16_OfSpans_IsThatOfSingleValues()
    {
        float[] values =
        [
            0f, -0f, 1f, 1.00390625f, 1.01171875f, float.NaN, -float.NaN, float.PositiveInfinity, float.MaxValue, float.Epsilon, 1e-40f,
            .. Enumerable.Range(0, 5000).Select(i => BitConverter.Int32BitsToSingle(unchecked(i * 858_993_459))),
        ];
        foreach (int n in (int[])[0, 1, 7, 31, 32, 33, values.Length])
        {
            ushort[] narrow = new ushort[n];
            float[] wide = new float[n];
            Bfloat16.Narrow(values.AsSpan(0, n), narrow);
            Bfloat16.Widen(narrow, wide);
            Assert.Equal(values[..n].Select(Bfloat16.Narrow), narrow);
            Assert.Equal(narrow.Select(Bfloat16.Widen), wide);
        }
    }

    [Theory]
    [InlineData(0x7F80, true)]
    [InlineData(0xFF80, true)]
    [InlineData(0x7FC0, true)]
    [InlineData(0x7F7F, false)]
    [InlineData(0x3F80, false)]
    public void Bfloat16_NotFinite_IsFoundAnywhere(int bits, bool isFound)
    {
        foreach (int n in (int[])[1, 40, 128, 131, 300])
        {
            for (int at = 0; at < n; at++)
            {
                ushort[] values = new ushort[n];
                values[at] = (ushort)bits;
                Assert.Equal(!isFound, Bfloat16.IsFiniteAll(values));
            }
        }
    }
}
