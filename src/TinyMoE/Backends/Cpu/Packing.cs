using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
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

    /// <summary>The value of a float, a bfloat16 (of type ushort) or a float16.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Widen<TValue>(TValue value)
        where TValue : unmanaged => typeof(TValue) == typeof(ushort) ? Bfloat16.Widen((ushort)(object)value)
            : typeof(TValue) == typeof(Half) ? (float)(Half)(object)value
            : (float)(object)value;

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
                Load(source + lane).Store(panel + lane);
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
        if (Avx.IsSupported && innerStride == 1)
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
}
