using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <remarks>
/// Products of a few rows, as in generation. They are bound by reading b, so b is read once, where it lies and in the order it lies: four
/// of its rows (columns of the product) at a time meet all rows of a while they are in the first-level cache. A vector of a serves all
/// four, each with two sums, whose eight chains of additions hide each other's latency. In 16 bits there are half as many bytes to read;
/// they are widened on the way into a register.
/// </remarks>
public sealed unsafe partial class CpuBackend
{
    private void MultiplyThin(in Products products)
    {
        if (products.B.Data.Type == ElementType.Float16)
            Simd.Run(new ThinWork<Half>(workers, products), products.Kernel.Bits);
        else if (products.IsNarrow)
            Simd.Run(new ThinWork<ushort>(workers, products), products.Kernel.Bits);
        else
            Simd.Run(new ThinWork<float>(workers, products), products.Kernel.Bits);
    }

    /// <summary>c[j] = or += a·b[j·bRow] for four rows of b. a (n), b four rows of n floats, bfloat16 or float16, c (4).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DotFour<TSimd, TVector, TValue>(float* a, TValue* b, nint bRow, int n, float* c, bool adds)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TValue : unmanaged
    {
        // The two sums of a row take vectors in turns, and the last single values come after both: one order, that depends on n alone.
        int count = TSimd.Count, i = 0;
        TValue* b1 = b + bRow, b2 = b1 + bRow, b3 = b2 + bRow;
        TVector x00 = TSimd.Broadcast(0f), x01 = x00, x10 = x00, x11 = x00, x20 = x00, x21 = x00, x30 = x00, x31 = x00;
        for (; i <= n - 2 * count; i += 2 * count)
        {
            PrefetchAhead(b + 4 * bRow + i, 2 * count);
            PrefetchAhead(b1 + 4 * bRow + i, 2 * count);
            PrefetchAhead(b2 + 4 * bRow + i, 2 * count);
            PrefetchAhead(b3 + 4 * bRow + i, 2 * count);
            TVector a0 = TSimd.Load(a + i), a1 = TSimd.Load(a + i + count);
            x00 = TSimd.MultiplyAdd(a0, Load<TSimd, TVector, TValue>(b + i), x00);
            x10 = TSimd.MultiplyAdd(a0, Load<TSimd, TVector, TValue>(b1 + i), x10);
            x20 = TSimd.MultiplyAdd(a0, Load<TSimd, TVector, TValue>(b2 + i), x20);
            x30 = TSimd.MultiplyAdd(a0, Load<TSimd, TVector, TValue>(b3 + i), x30);
            x01 = TSimd.MultiplyAdd(a1, Load<TSimd, TVector, TValue>(b + i + count), x01);
            x11 = TSimd.MultiplyAdd(a1, Load<TSimd, TVector, TValue>(b1 + i + count), x11);
            x21 = TSimd.MultiplyAdd(a1, Load<TSimd, TVector, TValue>(b2 + i + count), x21);
            x31 = TSimd.MultiplyAdd(a1, Load<TSimd, TVector, TValue>(b3 + i + count), x31);
        }

        for (; i <= n - count; i += count)
        {
            TVector a0 = TSimd.Load(a + i);
            x00 = TSimd.MultiplyAdd(a0, Load<TSimd, TVector, TValue>(b + i), x00);
            x10 = TSimd.MultiplyAdd(a0, Load<TSimd, TVector, TValue>(b1 + i), x10);
            x20 = TSimd.MultiplyAdd(a0, Load<TSimd, TVector, TValue>(b2 + i), x20);
            x30 = TSimd.MultiplyAdd(a0, Load<TSimd, TVector, TValue>(b3 + i), x30);
        }

        FinishFour(
            TSimd.SumFour(TSimd.Add(x00, x01), TSimd.Add(x10, x11), TSimd.Add(x20, x21), TSimd.Add(x30, x31)), a, b, bRow, i, n, c, adds);
    }

    /// <summary>
    /// The same for pairs of rows of a, which share what is loaded of b: for processors with 32 registers. Each sum is in the order of <see
    /// cref="DotFour"/>. While b's four rows wait in the first level for the rows of a to meet them, memory brings the next four: each pair
    /// asks for a share. a (2·pairs, n), c (2·pairs, 4) in rows of cRow.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void DotPairs<TSimd, TVector, TValue>(float* a, int pairs, TValue* b, int n, float* c, int cRow, bool adds)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TValue : unmanaged
    {
        int count = TSimd.Count, inLine = Caches.Line / sizeof(TValue), lines = Ceiling.Divide(4 * 2 * count, inLine * pairs);
        TValue* b1 = b + n, b2 = b1 + n, b3 = b2 + n, asked = b3 + n, end = asked + 4 * (nint)n;
        for (; pairs > 0; pairs--, a += 2 * (nint)n, c += 2 * (nint)cRow)
        {
            float* next = a + n;
            int i = 0;
            TVector x00 = TSimd.Broadcast(0f), x01 = x00, x10 = x00, x11 = x00, x20 = x00, x21 = x00, x30 = x00, x31 = x00;
            TVector y00 = x00, y01 = x00, y10 = x00, y11 = x00, y20 = x00, y21 = x00, y30 = x00, y31 = x00;
            for (; i <= n - 2 * count; i += 2 * count)
            {
                for (int line = 0; line < lines && asked < end; line++, asked += inLine)
                    AskFor(asked);
                TVector a0 = TSimd.Load(a + i), a1 = TSimd.Load(a + i + count);
                TVector z0 = TSimd.Load(next + i), z1 = TSimd.Load(next + i + count);
                TVector even = Load<TSimd, TVector, TValue>(b + i), odd = Load<TSimd, TVector, TValue>(b + i + count);
                (x00, x01) = (TSimd.MultiplyAdd(a0, even, x00), TSimd.MultiplyAdd(a1, odd, x01));
                (y00, y01) = (TSimd.MultiplyAdd(z0, even, y00), TSimd.MultiplyAdd(z1, odd, y01));
                (even, odd) = (Load<TSimd, TVector, TValue>(b1 + i), Load<TSimd, TVector, TValue>(b1 + i + count));
                (x10, x11) = (TSimd.MultiplyAdd(a0, even, x10), TSimd.MultiplyAdd(a1, odd, x11));
                (y10, y11) = (TSimd.MultiplyAdd(z0, even, y10), TSimd.MultiplyAdd(z1, odd, y11));
                (even, odd) = (Load<TSimd, TVector, TValue>(b2 + i), Load<TSimd, TVector, TValue>(b2 + i + count));
                (x20, x21) = (TSimd.MultiplyAdd(a0, even, x20), TSimd.MultiplyAdd(a1, odd, x21));
                (y20, y21) = (TSimd.MultiplyAdd(z0, even, y20), TSimd.MultiplyAdd(z1, odd, y21));
                (even, odd) = (Load<TSimd, TVector, TValue>(b3 + i), Load<TSimd, TVector, TValue>(b3 + i + count));
                (x30, x31) = (TSimd.MultiplyAdd(a0, even, x30), TSimd.MultiplyAdd(a1, odd, x31));
                (y30, y31) = (TSimd.MultiplyAdd(z0, even, y30), TSimd.MultiplyAdd(z1, odd, y31));
            }

            for (; i <= n - count; i += count)
            {
                TVector a0 = TSimd.Load(a + i), z0 = TSimd.Load(next + i), value = Load<TSimd, TVector, TValue>(b + i);
                (x00, y00) = (TSimd.MultiplyAdd(a0, value, x00), TSimd.MultiplyAdd(z0, value, y00));
                value = Load<TSimd, TVector, TValue>(b1 + i);
                (x10, y10) = (TSimd.MultiplyAdd(a0, value, x10), TSimd.MultiplyAdd(z0, value, y10));
                value = Load<TSimd, TVector, TValue>(b2 + i);
                (x20, y20) = (TSimd.MultiplyAdd(a0, value, x20), TSimd.MultiplyAdd(z0, value, y20));
                value = Load<TSimd, TVector, TValue>(b3 + i);
                (x30, y30) = (TSimd.MultiplyAdd(a0, value, x30), TSimd.MultiplyAdd(z0, value, y30));
            }

            Vector128<float> x = TSimd.SumFour(TSimd.Add(x00, x01), TSimd.Add(x10, x11), TSimd.Add(x20, x21), TSimd.Add(x30, x31));
            Vector128<float> y = TSimd.SumFour(TSimd.Add(y00, y01), TSimd.Add(y10, y11), TSimd.Add(y20, y21), TSimd.Add(y30, y31));
            FinishFour(x, a, b, n, i, n, c, adds);
            FinishFour(y, next, b, n, i, n, c + cRow, adds);
        }
    }

    /// <summary>Puts four sums where they belong, with the last values of the rows, from i on, which are no whole vector.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void FinishFour<TValue>(Vector128<float> sums, float* a, TValue* b, nint bRow, int i, int n, float* c, bool adds)
        where TValue : unmanaged
    {
        for (; i < n; i++)
        {
            TValue* value = b + i;
            sums += Vector128.Create(
                a[i] * Packing.Widen(*value), a[i] * Packing.Widen(value[bRow]), a[i] * Packing.Widen(value[2 * bRow]),
                a[i] * Packing.Widen(value[3 * bRow]));
        }

        (adds ? Vector128.Load(c) + sums : sums).Store(c);
    }

    /// <summary>c = or += a·bᵀ. a (rows, n), b (columns, n), c (rows, columns) in rows of cRow.</summary>
    private static void Dots<TSimd, TVector, TValue>(float* a, TValue* b, float* c, int cRow, int rows, int columns, int n, bool adds)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TValue : unmanaged
    {
        int j = 0, paired = TSimd.Registers >= 32 ? rows / 2 * 2 : 0;
        for (; j <= columns - 4; j += 4)
        {
            if (paired > 0)
                DotPairs<TSimd, TVector, TValue>(a, paired / 2, b + (nint)j * n, n, c + j, cRow, adds);
            for (int r = paired; r < rows; r++)
                DotFour<TSimd, TVector, TValue>(a + (nint)r * n, b + (nint)j * n, n, n, c + (nint)r * cRow + j, adds);
        }

        // The last rows of b are each computed as four of the same: in the same order, and b's values are read once all the same.
        float* four = stackalloc float[4];
        for (; j < columns; j++)
        {
            for (int r = 0; r < rows; r++)
            {
                float* to = c + (nint)r * cRow + j;
                DotFour<TSimd, TVector, TValue>(a + (nint)r * n, b + (nint)j * n, bRow: 0, n, four, adds: false);
                *to = adds ? *to + *four : *four;
            }
        }
    }

    /// <summary>
    /// Asks for the lines of values in 16 bits, those of the next four rows. A row of b is about a page long, and the processor's own
    /// prefetcher begins anew on every page. What is beyond memory is not asked for. Floats, whose rows are longer, and small models in
    /// float32, which lie in a cache, do without.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchAhead<TValue>(TValue* b, int count)
        where TValue : unmanaged
    {
        if (!Sse.IsSupported || typeof(TValue) == typeof(float))
            return;
        for (int ahead = 0; ahead < count * sizeof(TValue); ahead += Caches.Line)
            Sse.Prefetch0((byte*)b + ahead);
    }

    /// <summary>Asks for the line of a value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void AskFor<TValue>(TValue* value)
        where TValue : unmanaged
    {
        if (Sse.IsSupported)
            Sse.Prefetch0(value);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static TVector Load<TSimd, TVector, TValue>(TValue* source)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TValue : unmanaged => typeof(TValue) == typeof(ushort) ? TSimd.LoadBfloat16((ushort*)source)
            : typeof(TValue) == typeof(Half) ? TSimd.LoadFloat16((ushort*)source)
            : TSimd.Load((float*)source);

    /// <summary>All tiles of thin products whose b is of floats, of bfloat16 or of float16.</summary>
    private readonly record struct ThinWork<TValue>(Workers Workers, Products Products) : IVectorWork
        where TValue : unmanaged
    {
        void IVectorWork.Run<TSimd, TVector>()
        {
            Products products = Products;
            Workers.For(products.Pieces(), in products, Compute<TSimd, TVector>);
        }

        private static void Compute<TSimd, TVector>(int tile, in Products s)
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            var (index, row, column, rows, columns, _) = s.Locate(tile);
            Product p = s[index];
            float* c = p.C + (nint)row * s.Columns + column;
            bool adds = BeginTile(index, c, column, rows, columns, in s);
            Dots<TSimd, TVector, TValue>(
                p.A + (nint)row * p.Inner, (TValue*)p.B + (nint)column * p.Inner, c, s.Columns, rows, columns, p.Inner, adds);
            EndTile(c, rows, columns, in s);
        }
    }

    /// <summary>One thin product that is a piece by itself, as a router's, without the work list: that takes longer than it.</summary>
    private readonly record struct SmallThinWork(Floats A, Weights B, Target C, int Rows, int Columns, int Inner) : IVectorWork
    {
        void IVectorWork.Run<TSimd, TVector>()
        {
            float* a = A.Pointer, c = C.View.Pointer;
            nint b = B.Address;
            if (B.Type == ElementType.Float16)
                Dots<TSimd, TVector, Half>(a, (Half*)b, c, Columns, Rows, Columns, Inner, C.Adds);
            else if (B.Type == ElementType.Bfloat16)
                Dots<TSimd, TVector, ushort>(a, (ushort*)b, c, Columns, Rows, Columns, Inner, C.Adds);
            else
                Dots<TSimd, TVector, float>(a, (float*)b, c, Columns, Rows, Columns, Inner, C.Adds);
        }
    }
}
