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

    /// <summary>Whether none is NaN or an infinity.</summary>
    public static bool IsFiniteAll(ReadOnlySpan<ushort> values)
    {
        foreach (ushort value in values)
        {
            if ((value & 0x7F80) == 0x7F80)
                return false;
        }

        return true;
    }
}
