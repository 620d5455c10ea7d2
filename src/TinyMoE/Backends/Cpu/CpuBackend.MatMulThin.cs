using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <remarks>
/// Products of a few rows, as in generation. They are bound by reading b, so b is read once, where it lies and in the order it lies: each
/// of its rows meets all rows of a while it is in the first-level cache. One row at a time is one stream for the prefetcher; four sums
/// hide the latency of the additions. In 16 bits there are half as many bytes to read; they are widened on the way into a register.
/// </remarks>
public sealed unsafe partial class CpuBackend
{
    private const int CacheLine = 64, PrefetchDistance = 4096; // bytes

    private void MultiplyThin(Products products)
    {
        if (products.B.Data.Type == ElementType.Float16)
            Simd.Run(new ThinWork<Half>(workers, products), products.Kernel.Bits);
        else if (products.IsNarrow)
            Simd.Run(new ThinWork<ushort>(workers, products), products.Kernel.Bits);
        else
            Simd.Run(new ThinWork<float>(workers, products), products.Kernel.Bits);
    }

    /// <summary>a·b in four chains of additions. a, b (n), b of floats, of bfloat16 or of float16.</summary>
    private static float DotOfFour<TSimd, TVector, TValue>(float* a, TValue* b, int n)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
        where TValue : unmanaged
    {
        // An addition takes four cycles and two can begin in each: one chain would wait for itself. The four are added up at the end, in an
        // order that depends on n alone, and so do the bits.
        int count = TSimd.Count, i = 0;
        TVector c0 = TSimd.Broadcast(0f), c1 = c0, c2 = c0, c3 = c0;
        for (; i <= n - 4 * count; i += 4 * count)
        {
            PrefetchAhead<TValue>(b + i, 4 * count);
            c0 = TSimd.MultiplyAdd(TSimd.Load(a + i), Load<TSimd, TVector, TValue>(b + i), c0);
            c1 = TSimd.MultiplyAdd(TSimd.Load(a + i + count), Load<TSimd, TVector, TValue>(b + i + count), c1);
            c2 = TSimd.MultiplyAdd(TSimd.Load(a + i + 2 * count), Load<TSimd, TVector, TValue>(b + i + 2 * count), c2);
            c3 = TSimd.MultiplyAdd(TSimd.Load(a + i + 3 * count), Load<TSimd, TVector, TValue>(b + i + 3 * count), c3);
        }

        for (; i <= n - count; i += count)
            c0 = TSimd.MultiplyAdd(TSimd.Load(a + i), Load<TSimd, TVector, TValue>(b + i), c0);
        float sum = TSimd.Sum(TSimd.Add(TSimd.Add(c0, c1), TSimd.Add(c2, c3)));
        for (; i < n; i++)
            sum += a[i] * Packing.Widen(b[i]);
        return sum;
    }

    /// <summary>
    /// Asks for the lines that are a page ahead of these values in 16 bits. A row of b is about a page long, and the processor's own
    /// prefetcher begins anew on every page: one core reads 9 GB/s with it alone, 11 so, and 12 is what it can (float16: 6 and 9). What is
    /// beyond memory is not asked for. Floats, whose rows are longer, and small models in float32, which lie in a cache, do without.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void PrefetchAhead<TValue>(TValue* b, int count)
        where TValue : unmanaged
    {
        if (!Sse.IsSupported || typeof(TValue) == typeof(float))
            return;
        byte* line = (byte*)b + PrefetchDistance;
        for (int ahead = 0; ahead < count * sizeof(TValue); ahead += CacheLine)
            Sse.Prefetch0(line + ahead);
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
            Workers.For(products.Tiles(), in products, static (tile, in s) =>
            {
                var (index, row, column) = s.Locate(tile);
                Product p = s[index];
                int endRow = Math.Min(p.Rows, row + s.TileRows), endColumn = Math.Min(s.Columns, column + s.TileColumns);
                float* tileC = p.C + (nint)row * s.Columns + column;
                bool adds = BeginTile(index, tileC, column, endRow - row, endColumn - column, in s);
                for (int j = column; j < endColumn; j++)
                {
                    for (int r = row; r < endRow; r++)
                    {
                        float sum = DotOfFour<TSimd, TVector, TValue>(p.A + (nint)r * p.Inner, (TValue*)p.B + (nint)j * p.Inner, p.Inner);
                        float* c = p.C + (nint)r * s.Columns + j;
                        *c = adds ? *c + sum : sum;
                    }
                }

                EndTile(tileC, endRow - row, endColumn - column, in s);
            });
        }
    }
}
