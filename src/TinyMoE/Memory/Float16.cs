using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace TinyMoE.Memory;

/// <summary>One float16, IEEE's half precision: 11 bits of significance, up to 65504. Vectors of the CPU give the same bits.</summary>
internal static class Float16
{
    /// <summary>The largest value.</summary>
    public const float Largest = 65504f;

    private const float TwoTo112 = 5192296858534827628530496329220096f;

    /// <summary>To the nearest, ties to the even one; an infinity beyond 65504 and what rounds to it.</summary>
    public static ushort Narrow(float value) => BitConverter.HalfToUInt16Bits((Half)value);

    /// <summary>The float of the same value, exactly.</summary>
    public static float Widen(ushort value) => (float)BitConverter.UInt16BitsToHalf(value);

    /// <summary>The values of <paramref name="source"/> in 16 bits. source, destination (n).</summary>
    public static void Narrow(ReadOnlySpan<float> source, Span<ushort> destination) =>
        TensorPrimitives.ConvertToHalf(source, MemoryMarshal.Cast<ushort, Half>(destination));

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
            WidenBits(low).CopyTo(destination[i..]);
            WidenBits(high).CopyTo(destination[(i + count / 2)..]);
        }

        for (; i < source.Length; i++)
            destination[i] = Widen(source[i]);
    }

    /// <summary>Whether none is NaN or an infinity.</summary>
    public static bool IsFiniteAll(ReadOnlySpan<ushort> values) => Bits16.NoneHasAll(values, 0x7C00);

    /// <summary>
    /// Exponent and fraction move into their places of a float, as a number 2¹¹² too small (a subnormal one too, exactly); what has the
    /// largest exponent gets the largest of a float, and a NaN the bit that makes it quiet.
    /// </summary>
    private static Vector<float> WidenBits(Vector<uint> half)
    {
        Vector<uint> size = half & new Vector<uint>(0x7FFF), sign = (half & new Vector<uint>(0x8000)) << 16;
        Vector<float> scaled = Vector.AsVectorSingle(size << 13) * new Vector<float>(TwoTo112);
        Vector<uint> special = Vector.GreaterThanOrEqual(size, new Vector<uint>(0x7C00)) & new Vector<uint>(0x7F800000);
        Vector<uint> quiet = Vector.GreaterThan(size, new Vector<uint>(0x7C00)) & new Vector<uint>(0x00400000);
        return Vector.AsVectorSingle(Vector.AsVectorUInt32(scaled) | special | quiet | sign);
    }
}
