using System.Numerics;

namespace TinyMoE.Memory;

/// <summary>One bfloat16: the upper 16 bits of a float32. Vectors of the CPU give the same bits.</summary>
internal static class Bfloat16
{
    private const ushort NaN = 0xFFC0; // as float.NaN

    /// <summary>To the nearest, ties to the even one; NaN stays NaN.</summary>
    public static ushort Narrow(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return float.IsNaN(value) ? NaN : (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    /// <summary>The float of the same value, exactly.</summary>
    public static float Widen(ushort value) => BitConverter.UInt32BitsToSingle((uint)value << 16);

    /// <summary>The values of <paramref name="source"/> in 16 bits, as <see cref="Narrow(float)"/>. source, destination (n).</summary>
    public static void Narrow(ReadOnlySpan<float> source, Span<ushort> destination)
    {
        if (destination.Length < source.Length)
            throw new ArgumentException($"{source.Length} values do not fit into {destination.Length}.");
        int i = 0, count = Vector<float>.Count;
        for (; i <= source.Length - 2 * count; i += 2 * count)
        {
            Vector<uint> low = NarrowBits(new Vector<float>(source[i..])), high = NarrowBits(new Vector<float>(source[(i + count)..]));
            Vector.Narrow(low, high).CopyTo(destination[i..]);
        }

        for (; i < source.Length; i++)
            destination[i] = Narrow(source[i]);
    }

    /// <summary>
    /// The values of <paramref name="source"/> as floats, exactly. source, destination (n); the source may be the second half of the
    /// destination's memory.
    /// </summary>
    public static void Widen(ReadOnlySpan<ushort> source, Span<float> destination)
    {
        if (destination.Length < source.Length)
            throw new ArgumentException($"{source.Length} values do not fit into {destination.Length}.");
        int i = 0, count = Vector<ushort>.Count;
        for (; i <= source.Length - count; i += count)
        {
            Vector.Widen(new Vector<ushort>(source[i..]), out Vector<uint> low, out Vector<uint> high);
            Vector.AsVectorSingle(low << 16).CopyTo(destination[i..]);
            Vector.AsVectorSingle(high << 16).CopyTo(destination[(i + count / 2)..]);
        }

        for (; i < source.Length; i++)
            destination[i] = Widen(source[i]);
    }

    /// <summary>Whether none is NaN or an infinity.</summary>
    public static bool IsFiniteAll(ReadOnlySpan<ushort> values) => Bits16.NoneHasAll(values, 0x7F80);

    private static Vector<uint> NarrowBits(Vector<float> value)
    {
        Vector<uint> bits = Vector.AsVectorUInt32(value), odd = (bits >>> 16) & Vector<uint>.One;
        Vector<uint> rounded = (bits + new Vector<uint>(0x7FFF) + odd) >>> 16;
        return Vector.ConditionalSelect(Vector.AsVectorUInt32(Vector.Equals(value, value)), rounded, new Vector<uint>(NaN));
    }
}
