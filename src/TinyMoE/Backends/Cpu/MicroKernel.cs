using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <summary>
/// The innermost product: a tile of c, Rows × (1 to <see cref="MostVectors"/> vectors), stays in registers while k runs. Each
/// step loads one row of b's panel and multiplies it by one broadcast value of a for each row of the tile. The tile is as
/// large as the registers allow, since a step of R × V vectors costs R + V loads for R·V multiply-adds: 8×3 fills 24 of the
/// 32 registers of 512 bits (and of Arm's 128), 6×2 fills 12 of the 16 of 256 or 128. Narrower tiles end a matrix whose columns are
/// no multiple of the widest. Every kernel adds the steps in the same order, so an element of c is the same bits in any of them.
/// </summary>
internal sealed unsafe class MicroKernel
{
    /// <summary>8×48, 8×32 and 8×16 in 512-bit registers.</summary>
    public static readonly MicroKernel Bits512 = new(
        rows: 8, lanes: 16,
        &MultiplyOne<Simd512, Vector512<float>>, &MultiplyTwo<Simd512, Vector512<float>>, &MultiplyThree<Simd512, Vector512<float>>);

    /// <summary>6×16 and 6×8 in 256-bit registers.</summary>
    public static readonly MicroKernel Bits256 =
        new(rows: 6, lanes: 8, &MultiplyOne<Simd256, Vector256<float>>, &MultiplyTwo<Simd256, Vector256<float>>);

    /// <summary>In 128-bit registers 6×8 and 6×4, or 8×12, 8×8 and 8×4 where there are 32 of them (Arm).</summary>
    public static readonly MicroKernel Bits128 = new(
        rows: RowsOf<Simd128, Vector128<float>>(), lanes: 4, &MultiplyOne<Simd128, Vector128<float>>,
        &MultiplyTwo<Simd128, Vector128<float>>, Simd128.Registers == 32 ? &MultiplyThree<Simd128, Vector128<float>> : null);

    private readonly delegate*<int, float*, nint, nint, float*, nint, float*, nint, bool, void> one, two, three;

    private MicroKernel(
        int rows,
        int lanes,
        delegate*<int, float*, nint, nint, float*, nint, float*, nint, bool, void> one,
        delegate*<int, float*, nint, nint, float*, nint, float*, nint, bool, void> two,
        delegate*<int, float*, nint, nint, float*, nint, float*, nint, bool, void> three = null)
    {
        (Rows, Lanes, MostVectors) = (rows, lanes, three is null ? 2 : 3);
        this.one = one;
        this.two = two;
        this.three = three;
    }

    /// <summary>The widest kernel that this machine has registers for.</summary>
    public static MicroKernel Best { get; } =
        Simd.Bits switch { 512 => Bits512, 256 => Bits256, _ => Bits128 };

    /// <summary>The width of its vectors.</summary>
    public int Bits => 32 * Lanes;

    /// <summary>Rows of the tile.</summary>
    public int Rows { get; }

    /// <summary>Columns of the narrowest tile: one vector.</summary>
    public int Lanes { get; }

    /// <summary>Columns of the widest tile: the width of most of b's panels.</summary>
    public int Columns => MostVectors * Lanes;

    private int MostVectors { get; }

    /// <summary>Columns of the next panel where <paramref name="left"/> columns are
    /// left: the widest, but two of two vectors rather than three and one.</summary>
    public int PanelWidth(int left)
    {
        int vectors = Ceiling.Divide(left, Lanes);
        return Lanes * (vectors == MostVectors + 1 ? 2 : Math.Min(vectors, MostVectors));
    }

    /// <summary>
    /// The kernel of panels of <paramref name="width"/> columns, (inner, a, aRow, aInner, b, bInner, c, cRow, adds):
    /// c[r, j] = or += Σ_k a[r·aRow + k·aInner]·b[k·bInner + j], c[r, j] at c[r·cRow + j].
    /// </summary>
    public delegate*<int, float*, nint, nint, float*, nint, float*, nint, bool, void> OfWidth(int width) =>
        width == Lanes ? one : width == 2 * Lanes ? two : three;

    /// <summary>8 rows of three vectors.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyThree<TSimd, TVector>(
        int inner, float* a, nint aRow, nint aInner, float* b, nint bInner, float* c, nint cRow, bool adds)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector c00 = default, c01 = default, c02 = default, c10 = default, c11 = default, c12 = default;
        TVector c20 = default, c21 = default, c22 = default, c30 = default, c31 = default, c32 = default;
        TVector c40 = default, c41 = default, c42 = default, c50 = default, c51 = default, c52 = default;
        TVector c60 = default, c61 = default, c62 = default, c70 = default, c71 = default, c72 = default;
        // c00 to c72 are the tile: a variable each, not an array, because only variables stay in registers. Of the eight rows of
        // a only three addresses are kept; the others are one or two strides away, which an addressing mode computes for nothing.
        float* a3 = a + 3 * aRow, a6 = a3 + 3 * aRow;
        for (int k = 0; k < inner; k++)
        {
            // One step of the inner dimension: row k of b against column k of a, an outer product that is added to the tile. The
            // 24 chains of additions are independent of each other, so that each multiply-add hides the latency of the others.
            TVector b0 = TSimd.Load(b), b1 = TSimd.Load(b + TSimd.Count), b2 = TSimd.Load(b + 2 * TSimd.Count);
            Step<TSimd, TVector>(*a, b0, b1, b2, ref c00, ref c01, ref c02);
            Step<TSimd, TVector>(a[aRow], b0, b1, b2, ref c10, ref c11, ref c12);
            Step<TSimd, TVector>(a[2 * aRow], b0, b1, b2, ref c20, ref c21, ref c22);
            Step<TSimd, TVector>(*a3, b0, b1, b2, ref c30, ref c31, ref c32);
            Step<TSimd, TVector>(a3[aRow], b0, b1, b2, ref c40, ref c41, ref c42);
            Step<TSimd, TVector>(a3[2 * aRow], b0, b1, b2, ref c50, ref c51, ref c52);
            Step<TSimd, TVector>(*a6, b0, b1, b2, ref c60, ref c61, ref c62);
            Step<TSimd, TVector>(a6[aRow], b0, b1, b2, ref c70, ref c71, ref c72);
            a += aInner;
            a3 += aInner;
            a6 += aInner;
            b += bInner;
        }

        Write<TSimd, TVector>(c, c00, c01, c02, adds);
        Write<TSimd, TVector>(c + cRow, c10, c11, c12, adds);
        Write<TSimd, TVector>(c + 2 * cRow, c20, c21, c22, adds);
        Write<TSimd, TVector>(c + 3 * cRow, c30, c31, c32, adds);
        Write<TSimd, TVector>(c + 4 * cRow, c40, c41, c42, adds);
        Write<TSimd, TVector>(c + 5 * cRow, c50, c51, c52, adds);
        Write<TSimd, TVector>(c + 6 * cRow, c60, c61, c62, adds);
        Write<TSimd, TVector>(c + 7 * cRow, c70, c71, c72, adds);
    }

    /// <summary>Rows of the tile at that vector width.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int RowsOf<TSimd, TVector>()
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Registers == 32 ? 8 : 6;

    /// <summary>8 rows of two vectors where there are 32 registers, else 6: the test is a constant of the compiled kernel.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MultiplyTwo<TSimd, TVector>(
        int inner, float* a, nint aRow, nint aInner, float* b, nint bInner, float* c, nint cRow, bool adds)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default, c30 = default, c31 = default;
        TVector c40 = default, c41 = default, c50 = default, c51 = default, c60 = default, c61 = default, c70 = default, c71 = default;
        float* a3 = a + 3 * aRow, a6 = a3 + 3 * aRow;
        for (int k = 0; k < inner; k++)
        {
            TVector b0 = TSimd.Load(b), b1 = TSimd.Load(b + TSimd.Count);
            Step<TSimd, TVector>(*a, b0, b1, ref c00, ref c01);
            Step<TSimd, TVector>(a[aRow], b0, b1, ref c10, ref c11);
            Step<TSimd, TVector>(a[2 * aRow], b0, b1, ref c20, ref c21);
            Step<TSimd, TVector>(*a3, b0, b1, ref c30, ref c31);
            Step<TSimd, TVector>(a3[aRow], b0, b1, ref c40, ref c41);
            Step<TSimd, TVector>(a3[2 * aRow], b0, b1, ref c50, ref c51);
            a += aInner;
            a3 += aInner;
            b += bInner;
            // Rows 6 and 7 where the registers hold them. The test is a constant of the compiled kernel: one of the two ways is not there.
            if (TSimd.Registers == 32)
            {
                Step<TSimd, TVector>(*a6, b0, b1, ref c60, ref c61);
                Step<TSimd, TVector>(a6[aRow], b0, b1, ref c70, ref c71);
                a6 += aInner;
            }
        }

        Write<TSimd, TVector>(c, c00, c01, adds);
        Write<TSimd, TVector>(c + cRow, c10, c11, adds);
        Write<TSimd, TVector>(c + 2 * cRow, c20, c21, adds);
        Write<TSimd, TVector>(c + 3 * cRow, c30, c31, adds);
        Write<TSimd, TVector>(c + 4 * cRow, c40, c41, adds);
        Write<TSimd, TVector>(c + 5 * cRow, c50, c51, adds);
        if (TSimd.Registers == 32)
        {
            Write<TSimd, TVector>(c + 6 * cRow, c60, c61, adds);
            Write<TSimd, TVector>(c + 7 * cRow, c70, c71, adds);
        }
    }

    /// <summary>
    /// Strips of rows one below the other, of two vectors of columns: c = or += a·b for each, as <see cref="MultiplyTwo"/>, but that sums
    /// begin with what is in c. For small products, of which a call and the writing at its end would be a large share.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void MultiplyStrips<TSimd, TVector>(
        int strips, int inner, float* a, nint aRow, nint aInner, float* b, nint bInner, float* c, nint cRow, bool adds)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        for (int rows = RowsOf<TSimd, TVector>(); strips > 0; strips--, a += rows * aRow, c += rows * cRow)
        {
            TVector c00 = default, c01 = default, c10 = default, c11 = default, c20 = default, c21 = default, c30 = default, c31 = default;
            TVector c40 = default, c41 = default, c50 = default, c51 = default, c60 = default, c61 = default, c70 = default, c71 = default;
            float* c3 = c + 3 * cRow, c6 = c3 + 3 * cRow;
            if (adds)
            {
                Read<TSimd, TVector>(c, ref c00, ref c01);
                Read<TSimd, TVector>(c + cRow, ref c10, ref c11);
                Read<TSimd, TVector>(c + 2 * cRow, ref c20, ref c21);
                Read<TSimd, TVector>(c3, ref c30, ref c31);
                Read<TSimd, TVector>(c3 + cRow, ref c40, ref c41);
                Read<TSimd, TVector>(c3 + 2 * cRow, ref c50, ref c51);
                if (TSimd.Registers == 32)
                {
                    Read<TSimd, TVector>(c6, ref c60, ref c61);
                    Read<TSimd, TVector>(c6 + cRow, ref c70, ref c71);
                }
            }

            float* a0 = a, a3 = a + 3 * aRow, a6 = a3 + 3 * aRow, right = b;
            for (int k = 0; k < inner; k++)
            {
                TVector b0 = TSimd.Load(right), b1 = TSimd.Load(right + TSimd.Count);
                Step<TSimd, TVector>(*a0, b0, b1, ref c00, ref c01);
                Step<TSimd, TVector>(a0[aRow], b0, b1, ref c10, ref c11);
                Step<TSimd, TVector>(a0[2 * aRow], b0, b1, ref c20, ref c21);
                Step<TSimd, TVector>(*a3, b0, b1, ref c30, ref c31);
                Step<TSimd, TVector>(a3[aRow], b0, b1, ref c40, ref c41);
                Step<TSimd, TVector>(a3[2 * aRow], b0, b1, ref c50, ref c51);
                a0 += aInner;
                a3 += aInner;
                right += bInner;
                if (TSimd.Registers == 32)
                {
                    Step<TSimd, TVector>(*a6, b0, b1, ref c60, ref c61);
                    Step<TSimd, TVector>(a6[aRow], b0, b1, ref c70, ref c71);
                    a6 += aInner;
                }
            }

            Write<TSimd, TVector>(c, c00, c01, adds: false);
            Write<TSimd, TVector>(c + cRow, c10, c11, adds: false);
            Write<TSimd, TVector>(c + 2 * cRow, c20, c21, adds: false);
            Write<TSimd, TVector>(c3, c30, c31, adds: false);
            Write<TSimd, TVector>(c3 + cRow, c40, c41, adds: false);
            Write<TSimd, TVector>(c3 + 2 * cRow, c50, c51, adds: false);
            if (TSimd.Registers == 32)
            {
                Write<TSimd, TVector>(c6, c60, c61, adds: false);
                Write<TSimd, TVector>(c6 + cRow, c70, c71, adds: false);
            }
        }
    }

    /// <summary>8 or 6 rows of one vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void MultiplyOne<TSimd, TVector>(
        int inner, float* a, nint aRow, nint aInner, float* b, nint bInner, float* c, nint cRow, bool adds)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector c0 = default, c1 = default, c2 = default, c3 = default, c4 = default, c5 = default, c6 = default, c7 = default;
        float* a3 = a + 3 * aRow, a6 = a3 + 3 * aRow;
        for (int k = 0; k < inner; k++)
        {
            TVector b0 = TSimd.Load(b);
            c0 = TSimd.MultiplyAdd(TSimd.Broadcast(*a), b0, c0);
            c1 = TSimd.MultiplyAdd(TSimd.Broadcast(a[aRow]), b0, c1);
            c2 = TSimd.MultiplyAdd(TSimd.Broadcast(a[2 * aRow]), b0, c2);
            c3 = TSimd.MultiplyAdd(TSimd.Broadcast(*a3), b0, c3);
            c4 = TSimd.MultiplyAdd(TSimd.Broadcast(a3[aRow]), b0, c4);
            c5 = TSimd.MultiplyAdd(TSimd.Broadcast(a3[2 * aRow]), b0, c5);
            a += aInner;
            a3 += aInner;
            b += bInner;
            if (TSimd.Registers == 32)
            {
                c6 = TSimd.MultiplyAdd(TSimd.Broadcast(*a6), b0, c6);
                c7 = TSimd.MultiplyAdd(TSimd.Broadcast(a6[aRow]), b0, c7);
                a6 += aInner;
            }
        }

        Write<TSimd, TVector>(c, c0, adds);
        Write<TSimd, TVector>(c + cRow, c1, adds);
        Write<TSimd, TVector>(c + 2 * cRow, c2, adds);
        Write<TSimd, TVector>(c + 3 * cRow, c3, adds);
        Write<TSimd, TVector>(c + 4 * cRow, c4, adds);
        Write<TSimd, TVector>(c + 5 * cRow, c5, adds);
        if (TSimd.Registers == 32)
        {
            Write<TSimd, TVector>(c + 6 * cRow, c6, adds);
            Write<TSimd, TVector>(c + 7 * cRow, c7, adds);
        }
    }

    /// <summary>Asks for the lines of a tile that will be added to, so that they are there when the sums are.</summary>
    public static void Prefetch(float* c, nint cRow, int rows, int columns)
    {
        if (!Sse.IsSupported)
            return;
        for (int r = 0; r < rows; r++, c += cRow)
        {
            for (int at = 0; at < columns; at += Caches.Line / sizeof(float))
                Sse.Prefetch0(c + at);
            Sse.Prefetch0(c + columns - 1); // of a tile that begins inside a line
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TSimd, TVector>(float a, TVector b0, TVector b1, TVector b2, ref TVector c0, ref TVector c1, ref TVector c2)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector x = TSimd.Broadcast(a);
        c0 = TSimd.MultiplyAdd(x, b0, c0);
        c1 = TSimd.MultiplyAdd(x, b1, c1);
        c2 = TSimd.MultiplyAdd(x, b2, c2);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Step<TSimd, TVector>(float a, TVector b0, TVector b1, ref TVector c0, ref TVector c1)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        TVector x = TSimd.Broadcast(a);
        c0 = TSimd.MultiplyAdd(x, b0, c0);
        c1 = TSimd.MultiplyAdd(x, b1, c1);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Read<TSimd, TVector>(float* c, ref TVector c0, ref TVector c1)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        c0 = TSimd.Load(c);
        c1 = TSimd.Load(c + TSimd.Count);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write<TSimd, TVector>(float* c, TVector c0, TVector c1, TVector c2, bool adds)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        Write<TSimd, TVector>(c, c0, c1, adds);
        Write<TSimd, TVector>(c + 2 * TSimd.Count, c2, adds);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write<TSimd, TVector>(float* c, TVector c0, TVector c1, bool adds)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        Write<TSimd, TVector>(c, c0, adds);
        Write<TSimd, TVector>(c + TSimd.Count, c1, adds);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Write<TSimd, TVector>(float* c, TVector c0, bool adds)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct => TSimd.Store(adds ? TSimd.Add(TSimd.Load(c), c0) : c0, c);
}
