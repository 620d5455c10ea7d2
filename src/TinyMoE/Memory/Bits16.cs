using System.Numerics;

namespace TinyMoE.Memory;

/// <summary>What 16-bit floats share.</summary>
internal static class Bits16
{
    /// <summary>Whether no value has all of these bits set, as those of the largest exponent.</summary>
    public static bool NoneHasAll(ReadOnlySpan<ushort> values, ushort bits)
    {
        // Four vectors at a time meet before the one branch: the memory is the limit then, and not the comparisons.
        int i = 0, count = Vector<ushort>.Count;
        Vector<ushort> mask = new(bits);
        for (; i <= values.Length - 4 * count; i += 4 * count)
        {
            Vector<ushort> a = Vector.Equals(new Vector<ushort>(values[i..]) & mask, mask);
            Vector<ushort> b = Vector.Equals(new Vector<ushort>(values[(i + count)..]) & mask, mask);
            Vector<ushort> c = Vector.Equals(new Vector<ushort>(values[(i + 2 * count)..]) & mask, mask);
            Vector<ushort> d = Vector.Equals(new Vector<ushort>(values[(i + 3 * count)..]) & mask, mask);
            if ((a | b | c | d) != Vector<ushort>.Zero)
                return false;
        }

        for (; i < values.Length; i++)
        {
            if ((values[i] & bits) == bits)
                return false;
        }

        return true;
    }
}
