using System.Runtime.Intrinsics;

namespace TinyMoE.Backends.Cpu;

/// <remarks>
/// Products of a few rows, as in generation. They are bound by reading b, so b is read once, where it lies and in the order it lies: each of its rows meets
/// all rows of a while it is in the first-level cache. One row at a time is one stream for the prefetcher; four sums hide the latency of the additions.
/// </remarks>
public sealed unsafe partial class CpuBackend
{
    private void MultiplyThin(Products products)
    {
        if (products.Kernel == MicroKernel.Bits512)
            MultiplyThin<Simd512, Vector512<float>>(products);
        else
            MultiplyThin<Simd256, Vector256<float>>(products);
    }

    private void MultiplyThin<TSimd, TVector>(Products products)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        workers.For(products.Tiles(), in products, static (tile, in s) =>
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
                    float sum = DotOfFour<TSimd, TVector>(p.A + (nint)r * p.Inner, p.B + (nint)j * p.Inner, p.Inner);
                    float* c = p.C + (nint)r * s.Columns + j;
                    *c = adds ? *c + sum : sum;
                }
            }

            EndTile(tileC, endRow - row, endColumn - column, in s);
        });
    }

    /// <summary>a·b in four chains of additions. a, b (n).</summary>
    private static float DotOfFour<TSimd, TVector>(float* a, float* b, int n)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        int count = TSimd.Count, i = 0;
        TVector c0 = TSimd.Broadcast(0f), c1 = c0, c2 = c0, c3 = c0;
        for (; i <= n - 4 * count; i += 4 * count)
        {
            c0 = TSimd.MultiplyAdd(TSimd.Load(a + i), TSimd.Load(b + i), c0);
            c1 = TSimd.MultiplyAdd(TSimd.Load(a + i + count), TSimd.Load(b + i + count), c1);
            c2 = TSimd.MultiplyAdd(TSimd.Load(a + i + 2 * count), TSimd.Load(b + i + 2 * count), c2);
            c3 = TSimd.MultiplyAdd(TSimd.Load(a + i + 3 * count), TSimd.Load(b + i + 3 * count), c3);
        }

        for (; i <= n - count; i += count)
            c0 = TSimd.MultiplyAdd(TSimd.Load(a + i), TSimd.Load(b + i), c0);
        float sum = TSimd.Sum(TSimd.Add(TSimd.Add(c0, c1), TSimd.Add(c2, c3)));
        for (; i < n; i++)
            sum += a[i] * b[i];
        return sum;
    }
}
