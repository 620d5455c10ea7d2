using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <summary>
/// Copies a strip of a matrix into the order in which the micro-kernel reads it: step by step of the inner dimension,
/// at each step the lanes (rows of a, columns of b) side by side. Whether the matrix is transposed ends here: it
/// decides only which of the two strides is 1. So does its precision: values of 16 bits are widened on the way.
/// </summary>
internal static unsafe class Packing
{
    /// <summary>panel[k·width + lane] = source[lane·laneStride + k·innerStride] for lane
    /// &lt; lanes and k &lt; inner; zero for the lanes from there to width.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Pack<TValue>(TValue* source, nint laneStride, nint innerStride, int lanes, int inner, int width, float* panel)
        where TValue : unmanaged
    {
        // The lanes that the panel is wider than the matrix are zeros: the micro-kernel computes them like all
        // others, and what comes out for them is dropped (WriteEdge). That is cheaper than a kernel for each width.
        if (lanes < width)
            new Span<float>(panel, inner * width).Clear();
        if (laneStride == 1)
            CopySteps(source, innerStride, lanes, inner, width, panel);
        else
            Transpose(source, laneStride, innerStride, lanes, inner, width, panel);
    }

    /// <summary>
    /// Strips of <paramref name="height"/> rows of a, from one to the next <paramref name="length"/> (<see cref="StripLength"/>):
    /// strips[strip·length + k·height + i] = a[(strip·height + i)·laneStride + k·innerStride], zero for the rows that there are not.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void PackStrips(
        float* a, nint laneStride, nint innerStride, int rows, int inner, int height, int length, float* strips)
    {
        // Eight values are read and written at a time, whatever the height is (6 or 8): those too many are where the next step's come
        // then, and behind the last step nothing is. Rows too many must be there to be read, so that the last strips go one by one.
        const int Together = 8; // strips: a line of the cache that is read is used whole
        int row = 0, whole = rows - (Vector256<float>.Count - height);
        if (laneStride == 1)
        {
            for (int strip = 0, count; (count = Math.Min(Together, (whole - row) / height)) > 0; strip += count, row += count * height)
            {
                float* from = a + row, to = strips + (nint)strip * length;
                for (int k = 0; k < inner; k++, from += innerStride, to += height)
                {
                    float* x = from, y = to;
                    for (int each = 0; each < count; each++, x += height, y += length)
                        CopyEight(x, y);
                }
            }
        }
        else if (innerStride == 1)
        {
            for (; row + height <= whole; row += height)
            {
                float* from = a + row * laneStride, to = strips + (nint)(row / height) * length;
                int k = 0;
                for (; k + 8 <= inner; k += 8)
                    Transpose8x8(from + k, laneStride, to + (nint)k * height, height);
                for (; k < inner; k++)
                {
                    for (int i = 0; i < height; i++)
                        to[(nint)k * height + i] = from[i * laneStride + k];
                }
            }
        }

        for (; row < rows; row += height)
            Pack(
                a + row * laneStride, laneStride, innerStride, Math.Min(height, rows - row), inner, height,
                strips + (nint)(row / height) * length);
    }

    /// <summary>Values from a strip to the next: more than it has, for what is written behind it and so that strips at the same step do
    /// not share a place in the cache.</summary>
    public static int StripLength(int height, int inner) => Ceiling.Multiple(height * inner + Vector256<float>.Count, 16);

    /// <summary>The value of a float, a bfloat16 (of type ushort) or a float16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Widen<TValue>(TValue value)
        where TValue : unmanaged => typeof(TValue) == typeof(ushort) ? Bfloat16.Widen((ushort)(object)value)
            : typeof(TValue) == typeof(Half) ? (float)(Half)(object)value
            : (float)(object)value;

    /// <summary>Copies eight values, widened.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void CopyEight<TValue>(TValue* source, float* destination)
        where TValue : unmanaged
    {
        if (Avx.IsSupported)
        {
            Load(source).Store(destination);
            return;
        }

        LoadFour(source).Store(destination);
        LoadFour(source + 4).Store(destination + 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> LoadFour<TValue>(TValue* source)
        where TValue : unmanaged => typeof(TValue) == typeof(ushort) ? Simd128.LoadBfloat16((ushort*)source)
            : typeof(TValue) == typeof(Half) ? Simd128.LoadFloat16((ushort*)source)
            : Vector128.Load((float*)source);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector256<float> Load<TValue>(TValue* source)
        where TValue : unmanaged => typeof(TValue) == typeof(ushort) ? Simd256.LoadBfloat16((ushort*)source)
            : typeof(TValue) == typeof(Half) ? Simd256.LoadFloat16((ushort*)source)
            : Vector256.Load((float*)source);

    private static void CopySteps<TValue>(TValue* source, nint innerStride, int lanes, int inner, int width, float* panel)
        where TValue : unmanaged
    {
        // The lanes of a step lie side by side already: a copy, step by step, with b's row length left behind.
        int vectors = lanes / 8 * 8;
        for (int k = 0; k < inner; k++, source += innerStride, panel += width)
        {
            for (int lane = 0; lane < vectors; lane += 8)
                CopyEight(source + lane, panel + lane);
            for (int lane = vectors; lane < lanes; lane++)
                panel[lane] = Widen(source[lane]);
        }
    }

    private static void Transpose<TValue>(TValue* source, nint laneStride, nint innerStride, int lanes, int inner, int width, float* panel)
        where TValue : unmanaged
    {
        // Each lane lies along the inner dimension, and the panel wants them side by side. By squares of 8×8, so that every line of the
        // cache that is read or written is used whole while it is near; what is left at the right and at the bottom goes one by one.
        int lane = 0;
        if (innerStride == 1)
        {
            for (; lane + 8 <= lanes; lane += 8)
            {
                int k = 0;
                for (; k + 8 <= inner; k += 8)
                    Transpose8x8(source + lane * laneStride + k, laneStride, panel + (nint)k * width + lane, width);
                CopyLanes(lane, lane + 8, k);
            }
        }

        CopyLanes(lane, lanes, 0);

        void CopyLanes(int from, int to, int firstStep)
        {
            for (int k = firstStep; k < inner; k++)
            {
                for (int each = from; each < to; each++)
                    panel[(nint)k * width + each] = Widen(source[each * laneStride + k * innerStride]);
            }
        }
    }

    /// <summary>y[j, i] = x[i, j], 8×8: pairs, then quadruples, then halves of the eight rows change places.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose8x8<TValue>(TValue* x, nint xRow, float* y, nint yRow)
        where TValue : unmanaged
    {
        if (!Avx.IsSupported)
        {
            TransposeByFours(x, xRow, y, yRow);
            return;
        }

        TValue* x3 = x + 3 * xRow;
        TValue* x6 = x3 + 3 * xRow;
        Vector256<float> r0 = Load(x), r1 = Load(x + xRow), r2 = Load(x + 2 * xRow), r3 = Load(x3);
        Vector256<float> r4 = Load(x3 + xRow), r5 = Load(x3 + 2 * xRow), r6 = Load(x6), r7 = Load(x6 + xRow);

        Vector256<float> p0 = Avx.UnpackLow(r0, r1), p1 = Avx.UnpackHigh(r0, r1), p2 = Avx.UnpackLow(r2, r3), p3 = Avx.UnpackHigh(r2, r3);
        Vector256<float> p4 = Avx.UnpackLow(r4, r5), p5 = Avx.UnpackHigh(r4, r5), p6 = Avx.UnpackLow(r6, r7), p7 = Avx.UnpackHigh(r6, r7);

        const byte Low = 0b01_00_01_00, High = 0b11_10_11_10;
        Vector256<float> q0 = Avx.Shuffle(p0, p2, Low), q1 = Avx.Shuffle(p0, p2, High), q2 = Avx.Shuffle(p1, p3, Low),
            q3 = Avx.Shuffle(p1, p3, High);
        Vector256<float> q4 = Avx.Shuffle(p4, p6, Low), q5 = Avx.Shuffle(p4, p6, High), q6 = Avx.Shuffle(p5, p7, Low),
            q7 = Avx.Shuffle(p5, p7, High);

        const byte LowHalves = 0x20, HighHalves = 0x31;
        Avx.Permute2x128(q0, q4, LowHalves).Store(y);
        Avx.Permute2x128(q1, q5, LowHalves).Store(y + yRow);
        Avx.Permute2x128(q2, q6, LowHalves).Store(y + 2 * yRow);
        Avx.Permute2x128(q3, q7, LowHalves).Store(y + 3 * yRow);
        Avx.Permute2x128(q0, q4, HighHalves).Store(y + 4 * yRow);
        Avx.Permute2x128(q1, q5, HighHalves).Store(y + 5 * yRow);
        Avx.Permute2x128(q2, q6, HighHalves).Store(y + 6 * yRow);
        Avx.Permute2x128(q3, q7, HighHalves).Store(y + 7 * yRow);
    }

    /// <summary>The same without registers of eight. The right half comes first: where rows of y are closer than eight values, what is
    /// written too many is overwritten, as when whole rows follow each other.</summary>
    internal static void TransposeByFours<TValue>(TValue* x, nint xRow, float* y, nint yRow)
        where TValue : unmanaged
    {
        Transpose4x4(x + 4 * xRow, xRow, y + 4, yRow);
        Transpose4x4(x, xRow, y, yRow);
        Transpose4x4(x + 4 * xRow + 4, xRow, y + 4 * yRow + 4, yRow);
        Transpose4x4(x + 4, xRow, y + 4 * yRow, yRow);
    }

    /// <summary>y[j, i] = x[i, j], 4×4: rows 0 and 2, 1 and 3 change places value by value, then what came out of it.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Transpose4x4<TValue>(TValue* x, nint xRow, float* y, nint yRow)
        where TValue : unmanaged
    {
        Vector128<float> r0 = LoadFour(x), r1 = LoadFour(x + xRow), r2 = LoadFour(x + 2 * xRow), r3 = LoadFour(x + 3 * xRow);
        Vector128<float> even0 = Low(r0, r2), even1 = High(r0, r2), odd0 = Low(r1, r3), odd1 = High(r1, r3);
        Low(even0, odd0).Store(y);
        High(even0, odd0).Store(y + yRow);
        Low(even1, odd1).Store(y + 2 * yRow);
        High(even1, odd1).Store(y + 3 * yRow);
    }

    /// <summary>a0, b0, a1, b1.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> Low(Vector128<float> a, Vector128<float> b) => Sse.IsSupported ? Sse.UnpackLow(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipLow(a, b)
        : Vector128.Create(a[0], b[0], a[1], b[1]);

    /// <summary>a2, b2, a3, b3.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<float> High(Vector128<float> a, Vector128<float> b) => Sse.IsSupported ? Sse.UnpackHigh(a, b)
        : AdvSimd.Arm64.IsSupported ? AdvSimd.Arm64.ZipHigh(a, b)
        : Vector128.Create(a[2], b[2], a[3], b[3]);
}
