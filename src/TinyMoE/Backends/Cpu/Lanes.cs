using System.Numerics;
using System.Runtime.CompilerServices;

namespace TinyMoE.Backends.Cpu;

/// <summary>
/// One vector of floats at a time, up to the very end of a run: where fewer than a whole vector is left, the missing lanes read as a fill value and are
/// not written. So a kernel is one loop, <c>for (int i = 0; i &lt; n; i += Lanes.Width)</c>, with no second loop for the tail.
/// </summary>
internal static unsafe class Lanes
{
    /// <summary>Floats in a vector.</summary>
    public static int Width => Vector<float>.Count;

    /// <summary>The vector at <paramref name="from"/>, of which <paramref name="left"/> lanes exist; the others are <paramref name="fill"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector<float> Load(float* from, int left, float fill = 0f) => left >= Width ? Vector.Load(from) : LoadPart(from, left, fill);

    /// <summary>Writes the first <paramref name="left"/> lanes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector<float> value, float* to, int left)
    {
        if (left >= Width)
            Vector.Store(value, to);
        else
            StorePart(value, to, left);
    }

    /// <summary>Stores, or adds to what is there.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(Vector<float> value, float* to, int left, bool adds) => Store(adds ? Load(to, left) + value : value, to, left);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector<float> LoadPart(float* from, int left, float fill)
    {
        Vector<float> value = new(fill);
        Unsafe.CopyBlockUnaligned(&value, from, (uint)left * sizeof(float));
        return value;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void StorePart(Vector<float> value, float* to, int left) => Unsafe.CopyBlockUnaligned(to, &value, (uint)left * sizeof(float));
}
