using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;

namespace TinyMoE.Backends.Cpu;

// Parts of vectors are masked instructions where there are any, and vectors of half the width elsewhere. There is no
// call in them: one in a kernel's loop, even if never taken, would drive every vector of the loop out of its register.

/// <summary>Vectors of 4 floats.</summary>
internal readonly unsafe struct Simd128 : ISimd<Vector128<float>>
{
    public static int Count => 4;

    public static int Registers => AdvSimd.IsSupported ? 32 : 16;

    public static Vector128<float> Indices => Vector128<float>.Indices;

    public static Vector128<float> Load(float* source) => Vector128.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Load(float* source, int left, float fill = 0f) =>
        left >= Count ? Load(source) : LoadPart(source, left, fill);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadTwice(float* source, int left) =>
        Vector128.Shuffle(Load(source, Math.Min(left, Count / 2)), Vector128.Create(0, 0, 1, 1));

    public static Vector128<float> SwapNeighbours(Vector128<float> a) => Vector128.Shuffle(a, Vector128.Create(1, 0, 3, 2));

    public static Vector128<float> LoadFractions(uint* source) =>
        Vector128.ConvertToSingle((Vector128.Load(source) >>> 8).AsInt32()) * (1f / (1 << 24));

    // bfloat16 is the upper half of a float: to widen is to put zeros below it.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadBfloat16(ushort* source) =>
        (Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(ulong*)source).AsUInt16()) << 16).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> LoadFloat16(ushort* source) =>
        Float16Vectors.Widen(Vector128.WidenLower(Vector128.CreateScalarUnsafe(*(ulong*)source).AsUInt16()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBfloat16(Vector128<float> value, ushort* destination) =>
        *(ulong*)destination = Vector128.Narrow(value.AsUInt32() >>> 16, Vector128<uint>.Zero).AsUInt64().ToScalar();

    public static void Store(Vector128<float> value, float* destination) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector128<float> value, float* destination, int left)
    {
        if (left >= Count)
            value.Store(destination);
        else
            StorePart(value, destination, left);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(Vector128<float> value, float* destination, int left, bool adds) =>
        Store(adds ? Load(destination, left) + value : value, destination, left);

    public static Vector128<float> Broadcast(float value) => Vector128.Create(value);

    public static Vector128<float> Add(Vector128<float> a, Vector128<float> b) => a + b;

    public static Vector128<float> Subtract(Vector128<float> a, Vector128<float> b) => a - b;

    public static Vector128<float> Multiply(Vector128<float> a, Vector128<float> b) => a * b;

    public static Vector128<float> Divide(Vector128<float> a, Vector128<float> b) => a / b;

    public static Vector128<float> MultiplyAdd(Vector128<float> a, Vector128<float> b, Vector128<float> c) =>
        Vector128.MultiplyAddEstimate(a, b, c);

    public static Vector128<float> Max(Vector128<float> a, Vector128<float> b) => Vector128.MaxNative(a, b);

    public static Vector128<float> Min(Vector128<float> a, Vector128<float> b) => Vector128.MinNative(a, b);

    public static Vector128<float> Round(Vector128<float> a) => Vector128.Round(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> RoundToBfloat16(Vector128<float> a)
    {
        // Adding half of the last place that stays rounds to the nearest; one less where that place
        // is even sends a tie to the even side. The carry may run into the exponent, which is
        // right: 1.99… becomes 2. Of a NaN it could run into the sign, so NaNs are put in by hand.
        Vector128<uint> bits = a.AsUInt32(), odd = (bits >>> 16) & Vector128.Create(1u);
        Vector128<uint> rounded = (bits + odd + Vector128.Create(0x7FFFu)) & Vector128.Create(0xFFFF0000u);
        return Vector128.ConditionalSelect(Vector128.Equals(a, a), rounded.AsSingle(), Vector128.Create(float.NaN));
    }

    public static Vector128<float> Sqrt(Vector128<float> a) => Vector128.Sqrt(a);

    public static Vector128<float> Abs(Vector128<float> a) => Vector128.Abs(a);

    public static Vector128<float> CopySign(Vector128<float> a, Vector128<float> sign) => Vector128.CopySign(a, sign);

    public static Vector128<float> WhereLess(Vector128<float> a, Vector128<float> b, Vector128<float> then, Vector128<float> otherwise) =>
        Vector128.ConditionalSelect(Vector128.LessThan(a, b), then, otherwise);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> Scale(Vector128<float> value, Vector128<float> e)
    {
        // 2ᵉ in two factors: e may leave the range of one
        Vector128<int> exponent = Vector128.ConvertToInt32Native(e), half = exponent >> 1;
        return value * PowerOfTwo(half) * PowerOfTwo(exponent - half);
    }

    // A whole number added to the exponent bits is a multiplication by a power of two, as long as the exponent stays inside its eight bits.
    public static Vector128<float> ScaleByBits(Vector128<float> value, Vector128<float> bits) =>
        (value.AsInt32() + (bits.AsInt32() << 23)).AsSingle();

    public static Vector128<float> Log(Vector128<float> a) => Vector128.Log(a);

    public static Vector128<float> Log2(Vector128<float> a) => Vector128.Log2(a);

    public static float Sum(Vector128<float> a) => Vector128.Sum(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SumFour(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d)
    {
        if (!Sse.IsSupported)
            return Vector128.Create(Sum(a), Sum(b), Sum(c), Sum(d));
        // Turned, so that lanes 0 of the four lie side by side, and 1, 2, 3: then (0 + 1) + (2 + 3).
        Vector128<float> ab = Sse.UnpackLow(a, b), abHigh = Sse.UnpackHigh(a, b), cd = Sse.UnpackLow(c, d), cdHigh = Sse.UnpackHigh(c, d);
        return (Sse.MoveLowToHigh(ab, cd) + Sse.MoveHighToLow(cd, ab))
            + (Sse.MoveLowToHigh(abHigh, cdHigh) + Sse.MoveHighToLow(cdHigh, abHigh));
    }

    public static float MaxLane(Vector128<float> a)
    {
        // Halves against each other, then neighbours: two steps for four lanes.
        Vector128<float> half = Vector128.MaxNative(a, Vector128.Shuffle(a, Vector128.Create(2, 3, 0, 1)));
        return Vector128.MaxNative(half, Vector128.Shuffle(half, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> LoadPart(float* source, int left, float fill)
    {
        // A masked load does not touch what the mask leaves out: it may lie behind the end of the memory.
        if (!Avx.IsSupported)
            return Vector128.Create(
                left > 0 ? source[0] : fill, left > 1 ? source[1] : fill, left > 2 ? source[2] : fill, left > 3 ? source[3] : fill);
        Vector128<float> mask = Mask(left), value = Avx.MaskLoad(source, mask);
        return fill == 0f ? value : Vector128.ConditionalSelect(mask, value, Vector128.Create(fill));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StorePart(Vector128<float> value, float* destination, int left)
    {
        if (Avx.IsSupported)
        {
            Avx.MaskStore(destination, Mask(left), value);
            return;
        }

        if (left > 0)
            destination[0] = value[0];
        if (left > 1)
            destination[1] = value[1];
        if (left > 2)
            destination[2] = value[2];
        if (left > 3)
            destination[3] = value[3];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> PowerOfTwo(Vector128<int> e) => ((e + Vector128.Create(127)) << 23).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Mask(int left) => Vector128.GreaterThan(Vector128.Create(left), Vector128<int>.Indices).AsSingle();
}

/// <summary>Vectors of 8 floats.</summary>
internal readonly unsafe struct Simd256 : ISimd<Vector256<float>>
{
    public static int Count => 8;

    public static int Registers => 16;

    public static Vector256<float> Indices => Vector256<float>.Indices;

    public static Vector256<float> Load(float* source) => Vector256.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Load(float* source, int left, float fill = 0f) =>
        left >= Count ? Load(source) : LoadPart(source, left, fill);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadTwice(float* source, int left) => Avx2.IsSupported
        ? Avx2.PermuteVar8x32(Simd128.Load(source, left).ToVector256Unsafe(), Vector256.Create(0, 0, 1, 1, 2, 2, 3, 3))
        : Vector256.Create(
            Simd128.LoadTwice(source, left), Simd128.LoadTwice(source + Simd128.Count / 2, Math.Max(0, left - Simd128.Count / 2)));

    public static Vector256<float> SwapNeighbours(Vector256<float> a) => Avx.IsSupported
        ? Avx.Permute(a, 0b10_11_00_01)
        : Vector256.Create(Simd128.SwapNeighbours(a.GetLower()), Simd128.SwapNeighbours(a.GetUpper()));

    public static Vector256<float> LoadFractions(uint* source) =>
        Vector256.ConvertToSingle((Vector256.Load(source) >>> 8).AsInt32()) * (1f / (1 << 24));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadBfloat16(ushort* source) => Avx2.IsSupported
        ? (Avx2.ConvertToVector256Int32(source) << 16).AsSingle()
        : Vector256.Create(Simd128.LoadBfloat16(source), Simd128.LoadBfloat16(source + Simd128.Count));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> LoadFloat16(ushort* source) => Avx2.IsSupported
        ? Float16Vectors.Widen(Avx2.ConvertToVector256Int32(source).AsUInt32())
        : Vector256.Create(Simd128.LoadFloat16(source), Simd128.LoadFloat16(source + Simd128.Count));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBfloat16(Vector256<float> value, ushort* destination)
    {
        Vector256<uint> bits = value.AsUInt32() >>> 16;
        Vector128.Narrow(bits.GetLower(), bits.GetUpper()).Store(destination);
    }

    public static void Store(Vector256<float> value, float* destination) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector256<float> value, float* destination, int left)
    {
        if (left >= Count)
            value.Store(destination);
        else
            StorePart(value, destination, left);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(Vector256<float> value, float* destination, int left, bool adds) =>
        Store(adds ? Load(destination, left) + value : value, destination, left);

    public static Vector256<float> Broadcast(float value) => Vector256.Create(value);

    public static Vector256<float> Add(Vector256<float> a, Vector256<float> b) => a + b;

    public static Vector256<float> Subtract(Vector256<float> a, Vector256<float> b) => a - b;

    public static Vector256<float> Multiply(Vector256<float> a, Vector256<float> b) => a * b;

    public static Vector256<float> Divide(Vector256<float> a, Vector256<float> b) => a / b;

    public static Vector256<float> MultiplyAdd(Vector256<float> a, Vector256<float> b, Vector256<float> c) =>
        Vector256.MultiplyAddEstimate(a, b, c);

    public static Vector256<float> Max(Vector256<float> a, Vector256<float> b) => Vector256.MaxNative(a, b);

    public static Vector256<float> Min(Vector256<float> a, Vector256<float> b) => Vector256.MinNative(a, b);

    public static Vector256<float> Round(Vector256<float> a) => Vector256.Round(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> RoundToBfloat16(Vector256<float> a)
    {
        Vector256<uint> bits = a.AsUInt32(), odd = (bits >>> 16) & Vector256.Create(1u);
        Vector256<uint> rounded = (bits + odd + Vector256.Create(0x7FFFu)) & Vector256.Create(0xFFFF0000u);
        return Vector256.ConditionalSelect(Vector256.Equals(a, a), rounded.AsSingle(), Vector256.Create(float.NaN));
    }

    public static Vector256<float> Sqrt(Vector256<float> a) => Vector256.Sqrt(a);

    public static Vector256<float> Abs(Vector256<float> a) => Vector256.Abs(a);

    public static Vector256<float> CopySign(Vector256<float> a, Vector256<float> sign) => Vector256.CopySign(a, sign);

    public static Vector256<float> WhereLess(Vector256<float> a, Vector256<float> b, Vector256<float> then, Vector256<float> otherwise) =>
        Vector256.ConditionalSelect(Vector256.LessThan(a, b), then, otherwise);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Scale(Vector256<float> value, Vector256<float> e)
    {
        // 2ᵉ in two factors: e may leave the range of one
        Vector256<int> exponent = Vector256.ConvertToInt32Native(e), half = exponent >> 1;
        return value * PowerOfTwo(half) * PowerOfTwo(exponent - half);
    }

    public static Vector256<float> ScaleByBits(Vector256<float> value, Vector256<float> bits) =>
        (value.AsInt32() + (bits.AsInt32() << 23)).AsSingle();

    public static Vector256<float> Log(Vector256<float> a) => Vector256.Log(a);

    public static Vector256<float> Log2(Vector256<float> a) => Vector256.Log2(a);

    public static float Sum(Vector256<float> a) => Vector256.Sum(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SumFour(Vector256<float> a, Vector256<float> b, Vector256<float> c, Vector256<float> d)
    {
        if (!Avx.IsSupported)
            return Vector128.Create(Sum(a), Sum(b), Sum(c), Sum(d));
        Vector256<float> ab = Avx.UnpackLow(a, b), abHigh = Avx.UnpackHigh(a, b), cd = Avx.UnpackLow(c, d), cdHigh = Avx.UnpackHigh(c, d);
        Vector256<float> halves = (Avx.Shuffle(ab, cd, 0x44) + Avx.Shuffle(ab, cd, 0xEE))
            + (Avx.Shuffle(abHigh, cdHigh, 0x44) + Avx.Shuffle(abHigh, cdHigh, 0xEE)); // as of 128 bits, in either half
        return halves.GetLower() + halves.GetUpper();
    }

    public static float MaxLane(Vector256<float> a) => Simd128.MaxLane(Vector128.MaxNative(a.GetLower(), a.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> LoadPart(float* source, int left, float fill)
    {
        if (!Avx.IsSupported)
            return Vector256.Create(Simd128.Load(source, left, fill), Simd128.Load(source + Simd128.Count, left - Simd128.Count, fill));
        Vector256<float> mask = Mask(left), value = Avx.MaskLoad(source, mask);
        return fill == 0f ? value : Vector256.ConditionalSelect(mask, value, Vector256.Create(fill));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StorePart(Vector256<float> value, float* destination, int left)
    {
        if (Avx.IsSupported)
        {
            Avx.MaskStore(destination, Mask(left), value);
            return;
        }

        Simd128.Store(value.GetLower(), destination, left);
        Simd128.Store(value.GetUpper(), destination + Simd128.Count, left - Simd128.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> PowerOfTwo(Vector256<int> e) => ((e + Vector256.Create(127)) << 23).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Mask(int left) => Vector256.GreaterThan(Vector256.Create(left), Vector256<int>.Indices).AsSingle();
}

/// <summary>Vectors of 16 floats.</summary>
internal readonly unsafe struct Simd512 : ISimd<Vector512<float>>
{
    public static int Count => 16;

    public static int Registers => 32;

    public static Vector512<float> Indices => Vector512<float>.Indices;

    public static Vector512<float> Load(float* source) => Vector512.Load(source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Load(float* source, int left, float fill = 0f) =>
        left >= Count ? Load(source) : LoadPart(source, left, fill);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadTwice(float* source, int left) => Avx512F.IsSupported
        ? Avx512F.PermuteVar16x32(
            Simd256.Load(source, left).ToVector512Unsafe(), Vector512.Create(0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7))
        : Vector512.Create(
            Simd256.LoadTwice(source, left), Simd256.LoadTwice(source + Simd256.Count / 2, Math.Max(0, left - Simd256.Count / 2)));

    public static Vector512<float> SwapNeighbours(Vector512<float> a) => Avx512F.IsSupported
        ? Avx512F.Permute4x32(a, 0b10_11_00_01)
        : Vector512.Create(Simd256.SwapNeighbours(a.GetLower()), Simd256.SwapNeighbours(a.GetUpper()));

    public static Vector512<float> LoadFractions(uint* source) =>
        Vector512.ConvertToSingle((Vector512.Load(source) >>> 8).AsInt32()) * (1f / (1 << 24));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadBfloat16(ushort* source) => Avx512F.IsSupported
        ? (Avx512F.ConvertToVector512UInt32(Vector256.Load(source)) << 16).AsSingle()
        : Vector512.Create(Simd256.LoadBfloat16(source), Simd256.LoadBfloat16(source + Simd256.Count));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> LoadFloat16(ushort* source) => Avx512F.IsSupported
        ? Float16Vectors.Widen(Avx512F.ConvertToVector512UInt32(Vector256.Load(source)))
        : Vector512.Create(Simd256.LoadFloat16(source), Simd256.LoadFloat16(source + Simd256.Count));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBfloat16(Vector512<float> value, ushort* destination)
    {
        Vector512<uint> bits = value.AsUInt32() >>> 16;
        Vector256.Narrow(bits.GetLower(), bits.GetUpper()).Store(destination);
    }

    public static void Store(Vector512<float> value, float* destination) => value.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector512<float> value, float* destination, int left)
    {
        if (left >= Count)
            value.Store(destination);
        else
            StorePart(value, destination, left);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(Vector512<float> value, float* destination, int left, bool adds) =>
        Store(adds ? Load(destination, left) + value : value, destination, left);

    public static Vector512<float> Broadcast(float value) => Vector512.Create(value);

    public static Vector512<float> Add(Vector512<float> a, Vector512<float> b) => a + b;

    public static Vector512<float> Subtract(Vector512<float> a, Vector512<float> b) => a - b;

    public static Vector512<float> Multiply(Vector512<float> a, Vector512<float> b) => a * b;

    public static Vector512<float> Divide(Vector512<float> a, Vector512<float> b) => a / b;

    public static Vector512<float> MultiplyAdd(Vector512<float> a, Vector512<float> b, Vector512<float> c) =>
        Vector512.MultiplyAddEstimate(a, b, c);

    public static Vector512<float> Max(Vector512<float> a, Vector512<float> b) => Vector512.MaxNative(a, b);

    public static Vector512<float> Min(Vector512<float> a, Vector512<float> b) => Vector512.MinNative(a, b);

    public static Vector512<float> Round(Vector512<float> a) => Vector512.Round(a);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> RoundToBfloat16(Vector512<float> a)
    {
        Vector512<uint> bits = a.AsUInt32(), odd = (bits >>> 16) & Vector512.Create(1u);
        Vector512<uint> rounded = (bits + odd + Vector512.Create(0x7FFFu)) & Vector512.Create(0xFFFF0000u);
        return Vector512.ConditionalSelect(Vector512.Equals(a, a), rounded.AsSingle(), Vector512.Create(float.NaN));
    }

    public static Vector512<float> Sqrt(Vector512<float> a) => Vector512.Sqrt(a);

    public static Vector512<float> Abs(Vector512<float> a) => Vector512.Abs(a);

    public static Vector512<float> CopySign(Vector512<float> a, Vector512<float> sign) => Vector512.CopySign(a, sign);

    public static Vector512<float> WhereLess(Vector512<float> a, Vector512<float> b, Vector512<float> then, Vector512<float> otherwise) =>
        Vector512.ConditionalSelect(Vector512.LessThan(a, b), then, otherwise);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector512<float> Scale(Vector512<float> value, Vector512<float> e)
    {
        if (Avx512F.IsSupported)
            return Avx512F.Scale(value, e);
        // 2ᵉ in two factors: e may leave the range of one
        Vector512<int> exponent = Vector512.ConvertToInt32Native(e), half = exponent >> 1;
        return value * PowerOfTwo(half) * PowerOfTwo(exponent - half);
    }

    public static Vector512<float> ScaleByBits(Vector512<float> value, Vector512<float> bits) =>
        (value.AsInt32() + (bits.AsInt32() << 23)).AsSingle();

    public static Vector512<float> Log(Vector512<float> a) => Vector512.Log(a);

    public static Vector512<float> Log2(Vector512<float> a) => Vector512.Log2(a);

    // Wider sums fold into narrower ones, so the order of the additions is fixed.
    public static float Sum(Vector512<float> a) => Simd256.Sum(a.GetLower() + a.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector128<float> SumFour(Vector512<float> a, Vector512<float> b, Vector512<float> c, Vector512<float> d) =>
        Simd256.SumFour(
            a.GetLower() + a.GetUpper(), b.GetLower() + b.GetUpper(), c.GetLower() + c.GetUpper(), d.GetLower() + d.GetUpper());

    public static float MaxLane(Vector512<float> a) => Simd256.MaxLane(Vector256.MaxNative(a.GetLower(), a.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> LoadPart(float* source, int left, float fill) => Avx512F.IsSupported
        ? Avx512F.MaskLoad(source, Mask(left), Vector512.Create(fill))
        : Vector512.Create(Simd256.Load(source, left, fill), Simd256.Load(source + Simd256.Count, left - Simd256.Count, fill));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void StorePart(Vector512<float> value, float* destination, int left)
    {
        if (Avx512F.IsSupported)
        {
            Avx512F.MaskStore(destination, Mask(left), value);
            return;
        }

        Simd256.Store(value.GetLower(), destination, left);
        Simd256.Store(value.GetUpper(), destination + Simd256.Count, left - Simd256.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> PowerOfTwo(Vector512<int> e) => ((e + Vector512.Create(127)) << 23).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Mask(int left) => Vector512.GreaterThan(Vector512.Create(left), Vector512<int>.Indices).AsSingle();
}
