using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace TinyMoE.Backends.Cpu;

/// <summary>
/// One vector of floats at a time, up to the very end of a run: where fewer than a whole vector is left, the missing lanes read as a fill value and are
/// not written. So a kernel is one loop, <c>for (int i = 0; i &lt; n; i += Lanes.Width)</c>, with no second loop for the tail. The partial loads and stores
/// are masked instructions where there are any: a call there, even one never taken, would drive every vector of the loop out of its register.
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

    private static bool HasMasks => Avx.IsSupported && Width == Vector256<float>.Count;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector<float> LoadPart(float* from, int left, float fill)
    {
        if (!HasMasks)
            return CopyIn(from, left, fill);
        Vector256<float> mask = Mask(left), value = Avx.MaskLoad(from, mask);
        return (fill == 0f ? value : Vector256.ConditionalSelect(mask, value, Vector256.Create(fill))).AsVector();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StorePart(Vector<float> value, float* to, int left)
    {
        if (HasMasks)
            Avx.MaskStore(to, Mask(left), value.AsVector256());
        else
            CopyOut(value, to, left);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Mask(int left) => Vector256.GreaterThan(Vector256.Create(left), Vector256<int>.Indices).AsSingle();

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static Vector<float> CopyIn(float* from, int left, float fill)
    {
        Vector<float> value = new(fill);
        Unsafe.CopyBlockUnaligned(&value, from, (uint)left * sizeof(float));
        return value;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void CopyOut(Vector<float> value, float* to, int left) => Unsafe.CopyBlockUnaligned(to, &value, (uint)left * sizeof(float));
}
