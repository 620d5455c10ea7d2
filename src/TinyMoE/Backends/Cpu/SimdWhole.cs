using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TinyMoE.Backends.Cpu;

/// <summary>
/// The vectors of <typeparamref name="TSimd"/> where a loop meets whole ones only: what is told how many floats are left takes all of a
/// vector. A comparison and a jump at every load and store are a third of the time of a loop that does little else, so
/// <see cref="Simd"/> gives this type to loops over runs that vectors divide, which most are; the loops are the same source.
/// </summary>
internal readonly unsafe struct Whole<TSimd, TVector> : ISimd<TVector>
    where TSimd : struct, ISimd<TVector>
    where TVector : struct
{
    public static int Count => TSimd.Count;

    public static int Registers => TSimd.Registers;

    public static TVector Indices => TSimd.Indices;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load(float* source) => TSimd.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Load(float* source, int left, float fill = 0f) => TSimd.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector LoadTwice(float* source, int left) => TSimd.LoadTwice(source, TSimd.Count / 2);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector SwapNeighbours(TVector a) => TSimd.SwapNeighbours(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector LoadFractions(uint* source) => TSimd.LoadFractions(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector LoadBfloat16(ushort* source) => TSimd.LoadBfloat16(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector LoadFloat16(ushort* source) => TSimd.LoadFloat16(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBfloat16(TVector value, ushort* destination) => TSimd.StoreBfloat16(value, destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(TVector value, float* destination) => TSimd.Store(value, destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(TVector value, float* destination, int left) => TSimd.Store(value, destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(TVector value, float* destination, int left, bool adds) =>
        TSimd.Store(adds ? TSimd.Add(TSimd.Load(destination), value) : value, destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Broadcast(float value) => TSimd.Broadcast(value);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Add(TVector a, TVector b) => TSimd.Add(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Subtract(TVector a, TVector b) => TSimd.Subtract(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Multiply(TVector a, TVector b) => TSimd.Multiply(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Divide(TVector a, TVector b) => TSimd.Divide(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector MultiplyAdd(TVector a, TVector b, TVector c) => TSimd.MultiplyAdd(a, b, c);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Max(TVector a, TVector b) => TSimd.Max(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Min(TVector a, TVector b) => TSimd.Min(a, b);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Round(TVector a) => TSimd.Round(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector RoundToBfloat16(TVector a) => TSimd.RoundToBfloat16(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Sqrt(TVector a) => TSimd.Sqrt(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Abs(TVector a) => TSimd.Abs(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector CopySign(TVector a, TVector sign) => TSimd.CopySign(a, sign);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector WhereLess(TVector a, TVector b, TVector then, TVector otherwise) => TSimd.WhereLess(a, b, then, otherwise);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Scale(TVector value, TVector e) => TSimd.Scale(value, e);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector ScaleByBits(TVector value, TVector bits) => TSimd.ScaleByBits(value, bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Log(TVector a) => TSimd.Log(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static TVector Log2(TVector a) => TSimd.Log2(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(TVector a) => TSimd.Sum(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SumFour(TVector a, TVector b, TVector c, TVector d) => TSimd.SumFour(a, b, c, d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float MaxLane(TVector a) => TSimd.MaxLane(a);
}
