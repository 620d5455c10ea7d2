using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace TinyMoE.Backends.Cpu;

/// <summary>
/// The innermost product: a tile of c, Rows × Columns, stays in registers while k runs. Each step loads one row of b's panel and
/// multiplies it by one broadcast value of a for each row of the tile. The tile is as large as the registers allow, since a step costs
/// Rows + Columns/width loads for Rows·Columns/width multiply-adds: 8×48 fills 24 of the 32 registers of 512 bits, 6×16 fills 12 of 16 of 256 bits.
/// </summary>
internal sealed unsafe class MicroKernel
{
    /// <summary>8×48 in 512-bit registers.</summary>
    public static readonly MicroKernel Bits512 = new(rows: 8, columns: 48, depth: 192, &Multiply512);

    /// <summary>6×16 in 256-bit registers.</summary>
    public static readonly MicroKernel Bits256 = new(rows: 6, columns: 16, depth: 256, &Multiply256);

    /// <summary>6×8 in 128-bit registers.</summary>
    public static readonly MicroKernel Bits128 = new(rows: 6, columns: 8, depth: 256, &Multiply128);

    private MicroKernel(int rows, int columns, int depth, delegate*<int, float*, nint, nint, float*, float*, nint, bool, void> multiply)
    {
        (Rows, Columns, Depth) = (rows, columns, depth);
        Multiply = multiply;
    }

    /// <summary>The widest kernel that this machine has registers for.</summary>
    public static MicroKernel Best { get; } =
        Vector512.IsHardwareAccelerated ? Bits512 : Vector256.IsHardwareAccelerated ? Bits256 : Bits128;

    /// <summary>Rows of the tile.</summary>
    public int Rows { get; }

    /// <summary>Columns of the tile: the width of b's panels.</summary>
    public int Columns { get; }

    /// <summary>How many steps of the inner dimension run at a time: a panel of b of that depth fits the first-level cache.</summary>
    public int Depth { get; }

    /// <summary>
    /// (inner, a, aRow, aInner, b, c, cRow, adds): c[r, j] = or += Σ_k a[r·aRow + k·aInner]·b[k·Columns + j], c[r, j] at c[r·cRow + j].
    /// The strides let a be a packed panel or rows where they lie.
    /// </summary>
    public delegate*<int, float*, nint, nint, float*, float*, nint, bool, void> Multiply { get; }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply512(int inner, float* a, nint aRow, nint aInner, float* b, float* c, nint cRow, bool adds)
    {
        Vector512<float> c00 = default, c01 = default, c02 = default, c10 = default, c11 = default, c12 = default;
        Vector512<float> c20 = default, c21 = default, c22 = default, c30 = default, c31 = default, c32 = default;
        Vector512<float> c40 = default, c41 = default, c42 = default, c50 = default, c51 = default, c52 = default;
        Vector512<float> c60 = default, c61 = default, c62 = default, c70 = default, c71 = default, c72 = default;
        float* a3 = a + 3 * aRow;
        float* a6 = a3 + 3 * aRow;
        for (int k = 0; k < inner; k++)
        {
            Vector512<float> b0 = Vector512.Load(b), b1 = Vector512.Load(b + 16), b2 = Vector512.Load(b + 32);
            Step(Vector512.Create(*a), b0, b1, b2, ref c00, ref c01, ref c02);
            Step(Vector512.Create(a[aRow]), b0, b1, b2, ref c10, ref c11, ref c12);
            Step(Vector512.Create(a[2 * aRow]), b0, b1, b2, ref c20, ref c21, ref c22);
            Step(Vector512.Create(*a3), b0, b1, b2, ref c30, ref c31, ref c32);
            Step(Vector512.Create(a3[aRow]), b0, b1, b2, ref c40, ref c41, ref c42);
            Step(Vector512.Create(a3[2 * aRow]), b0, b1, b2, ref c50, ref c51, ref c52);
            Step(Vector512.Create(*a6), b0, b1, b2, ref c60, ref c61, ref c62);
            Step(Vector512.Create(a6[aRow]), b0, b1, b2, ref c70, ref c71, ref c72);
            a += aInner;
            a3 += aInner;
            a6 += aInner;
            b += 48;
        }

        Write(c, c00, c01, c02, adds);
        Write(c + cRow, c10, c11, c12, adds);
        Write(c + 2 * cRow, c20, c21, c22, adds);
        Write(c + 3 * cRow, c30, c31, c32, adds);
        Write(c + 4 * cRow, c40, c41, c42, adds);
        Write(c + 5 * cRow, c50, c51, c52, adds);
        Write(c + 6 * cRow, c60, c61, c62, adds);
        Write(c + 7 * cRow, c70, c71, c72, adds);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply256(int inner, float* a, nint aRow, nint aInner, float* b, float* c, nint cRow, bool adds)
    {
        Vector256<float> c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default;
        Vector256<float> c30 = default, c31 = default, c40 = default, c41 = default, c50 = default, c51 = default;
        float* a3 = a + 3 * aRow;
        for (int k = 0; k < inner; k++)
        {
            Vector256<float> b0 = Vector256.Load(b), b1 = Vector256.Load(b + 8);
            Step(Vector256.Create(*a), b0, b1, ref c00, ref c01);
            Step(Vector256.Create(a[aRow]), b0, b1, ref c10, ref c11);
            Step(Vector256.Create(a[2 * aRow]), b0, b1, ref c20, ref c21);
            Step(Vector256.Create(*a3), b0, b1, ref c30, ref c31);
            Step(Vector256.Create(a3[aRow]), b0, b1, ref c40, ref c41);
            Step(Vector256.Create(a3[2 * aRow]), b0, b1, ref c50, ref c51);
            a += aInner;
            a3 += aInner;
            b += 16;
        }

        Write(c, c00, c01, adds);
        Write(c + cRow, c10, c11, adds);
        Write(c + 2 * cRow, c20, c21, adds);
        Write(c + 3 * cRow, c30, c31, adds);
        Write(c + 4 * cRow, c40, c41, adds);
        Write(c + 5 * cRow, c50, c51, adds);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Multiply128(int inner, float* a, nint aRow, nint aInner, float* b, float* c, nint cRow, bool adds)
    {
        Vector128<float> c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default;
        Vector128<float> c30 = default, c31 = default, c40 = default, c41 = default, c50 = default, c51 = default;
        float* a3 = a + 3 * aRow;
        for (int k = 0; k < inner; k++)
        {
            Vector128<float> b0 = Vector128.Load(b), b1 = Vector128.Load(b + 4);
            Step(Vector128.Create(*a), b0, b1, ref c00, ref c01);
            Step(Vector128.Create(a[aRow]), b0, b1, ref c10, ref c11);
            Step(Vector128.Create(a[2 * aRow]), b0, b1, ref c20, ref c21);
            Step(Vector128.Create(*a3), b0, b1, ref c30, ref c31);
            Step(Vector128.Create(a3[aRow]), b0, b1, ref c40, ref c41);
            Step(Vector128.Create(a3[2 * aRow]), b0, b1, ref c50, ref c51);
            a += aInner;
            a3 += aInner;
            b += 8;
        }

        Write(c, c00, c01, adds);
        Write(c + cRow, c10, c11, adds);
        Write(c + 2 * cRow, c20, c21, adds);
        Write(c + 3 * cRow, c30, c31, adds);
        Write(c + 4 * cRow, c40, c41, adds);
        Write(c + 5 * cRow, c50, c51, adds);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step(
        Vector512<float> x, Vector512<float> b0, Vector512<float> b1, Vector512<float> b2, ref Vector512<float> c0, ref Vector512<float> c1, ref Vector512<float> c2)
    {
        c0 = Vector512.MultiplyAddEstimate(x, b0, c0);
        c1 = Vector512.MultiplyAddEstimate(x, b1, c1);
        c2 = Vector512.MultiplyAddEstimate(x, b2, c2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step(Vector256<float> x, Vector256<float> b0, Vector256<float> b1, ref Vector256<float> c0, ref Vector256<float> c1)
    {
        c0 = Vector256.MultiplyAddEstimate(x, b0, c0);
        c1 = Vector256.MultiplyAddEstimate(x, b1, c1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step(Vector128<float> x, Vector128<float> b0, Vector128<float> b1, ref Vector128<float> c0, ref Vector128<float> c1)
    {
        c0 = Vector128.MultiplyAddEstimate(x, b0, c0);
        c1 = Vector128.MultiplyAddEstimate(x, b1, c1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write(float* c, Vector512<float> c0, Vector512<float> c1, Vector512<float> c2, bool adds)
    {
        (adds ? Vector512.Load(c) + c0 : c0).Store(c);
        (adds ? Vector512.Load(c + 16) + c1 : c1).Store(c + 16);
        (adds ? Vector512.Load(c + 32) + c2 : c2).Store(c + 32);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write(float* c, Vector256<float> c0, Vector256<float> c1, bool adds)
    {
        (adds ? Vector256.Load(c) + c0 : c0).Store(c);
        (adds ? Vector256.Load(c + 8) + c1 : c1).Store(c + 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write(float* c, Vector128<float> c0, Vector128<float> c1, bool adds)
    {
        (adds ? Vector128.Load(c) + c0 : c0).Store(c);
        (adds ? Vector128.Load(c + 4) + c1 : c1).Store(c + 4);
    }
}
