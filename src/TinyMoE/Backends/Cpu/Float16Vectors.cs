using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <summary>
/// Vectors of float16 bits, one in each word, as floats. .NET has no instruction for it: as in <see cref="Float16"/>, exponent and fraction
/// move into their places, the exponent gets the other bias (twice where it is the largest), and a subnormal value is what is above 2⁻¹⁴.
/// </summary>
internal static class Float16Vectors
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Widen(Vector128<uint> half)
    {
        Vector128<uint> size = half & Vector128.Create(0x7FFFu), moved = size << 13;
        Vector128<uint> bias = Vector128.Create(Float16.Bias);
        Vector128<uint> normal = moved + bias + (Vector128.GreaterThanOrEqual(size, Vector128.Create(0x7C00u)) & bias);
        Vector128<float> least = Vector128.Create(Float16.Subnormal).AsSingle();
        Vector128<float> subnormal = (moved + Vector128.Create(Float16.Subnormal)).AsSingle() - least;
        Vector128<uint> isSubnormal = Vector128.LessThan(size, Vector128.Create(0x0400u));
        Vector128<uint> value = Vector128.ConditionalSelect(isSubnormal, subnormal.AsUInt32(), normal);
        return (value | ((half & Vector128.Create(0x8000u)) << 16)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Widen(Vector256<uint> half)
    {
        Vector256<uint> size = half & Vector256.Create(0x7FFFu), moved = size << 13;
        Vector256<uint> bias = Vector256.Create(Float16.Bias);
        Vector256<uint> normal = moved + bias + (Vector256.GreaterThanOrEqual(size, Vector256.Create(0x7C00u)) & bias);
        Vector256<float> least = Vector256.Create(Float16.Subnormal).AsSingle();
        Vector256<float> subnormal = (moved + Vector256.Create(Float16.Subnormal)).AsSingle() - least;
        Vector256<uint> isSubnormal = Vector256.LessThan(size, Vector256.Create(0x0400u));
        Vector256<uint> value = Vector256.ConditionalSelect(isSubnormal, subnormal.AsUInt32(), normal);
        return (value | ((half & Vector256.Create(0x8000u)) << 16)).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Widen(Vector512<uint> half)
    {
        Vector512<uint> size = half & Vector512.Create(0x7FFFu), moved = size << 13;
        Vector512<uint> bias = Vector512.Create(Float16.Bias);
        Vector512<uint> normal = moved + bias + (Vector512.GreaterThanOrEqual(size, Vector512.Create(0x7C00u)) & bias);
        Vector512<float> least = Vector512.Create(Float16.Subnormal).AsSingle();
        Vector512<float> subnormal = (moved + Vector512.Create(Float16.Subnormal)).AsSingle() - least;
        Vector512<uint> isSubnormal = Vector512.LessThan(size, Vector512.Create(0x0400u));
        Vector512<uint> value = Vector512.ConditionalSelect(isSubnormal, subnormal.AsUInt32(), normal);
        return (value | ((half & Vector512.Create(0x8000u)) << 16)).AsSingle();
    }
}
