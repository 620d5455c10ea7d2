using System.Numerics;
using System.Numerics.Tensors;
using System.Runtime.InteropServices;

namespace TinyMoE.Memory;

/// <summary>One float16, IEEE's half precision: 11 bits of significance, up to 65504. Vectors of the CPU give the same bits.</summary>
internal static class Float16
{
    /// <summary>The largest value.</summary>
    public const float Largest = 65504f;

    /// <summary>What is added to the bits of a float16, moved into their place of a float32, for the difference of the biases.</summary>
    public const uint Bias = (127 - 15) << 23;

    /// <summary>2⁻¹⁴, of which subnormal values are fractions: these bits with a subnormal fraction are 2⁻¹⁴ too much.</summary>
    public const uint Subnormal = (127 - 14) << 23;

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
    /// Exponent and fraction move into their places of a float, and the exponent gets the other bias: twice where it is the largest, so
    /// that it is the largest of a float too, a NaN being made quiet. A subnormal value is the fraction of a number that is 2⁻¹⁴ too
    /// much. (A multiplication would do both, and take a hundred cycles for a subnormal one.)
    /// </summary>
    private static Vector<float> WidenBits(Vector<uint> half)
    {
        Vector<uint> size = half & new Vector<uint>(0x7FFF), sign = (half & new Vector<uint>(0x8000)) << 16, moved = size << 13;
        Vector<uint> bias = new(Bias), special = Vector.GreaterThanOrEqual(size, new Vector<uint>(0x7C00));
        Vector<uint> quiet = Vector.GreaterThan(size, new Vector<uint>(0x7C00)) & new Vector<uint>(0x00400000);
        Vector<uint> normal = moved + bias + (special & bias);
        Vector<float> subnormal = Vector.AsVectorSingle(moved + new Vector<uint>(Subnormal))
            - Vector.AsVectorSingle(new Vector<uint>(Subnormal));
        Vector<uint> isSubnormal = Vector.LessThan(size, new Vector<uint>(0x0400));
        Vector<uint> value = Vector.ConditionalSelect(isSubnormal, Vector.AsVectorUInt32(subnormal), normal);
        return Vector.AsVectorSingle(value | quiet | sign);
    }
}
