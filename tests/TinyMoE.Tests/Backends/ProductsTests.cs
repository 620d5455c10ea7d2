using TinyMoE.Backends.Cpu;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Backends;

public sealed class ProductsTests
{
    // Steps or rows of each expert: alike, all in one, none, slivers, and none at all.
    private static readonly int[][] Loads = [[64, 64, 64, 64], [0, 700, 0, 0], [3, 250, 0, 41, 9, 97], [1, 1, 1], [0, 0], [555, 677, 119]];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(8)]
    [InlineData(9)]
    [InlineData(16)]
    [InlineData(64)]
    public void Locate_AllPieces_CoverEveryElementOnce(int threads)
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        foreach (MicroKernel kernel in new[] { MicroKernel.Bits128, MicroKernel.Bits256, MicroKernel.Bits512 })
        {
            foreach (int[] loads in Loads)
            {
                int all = loads.Sum();
                int[] offsets = [0, .. loads.Select((_, e) => loads.Take(e + 1).Sum())];
                Ints ints = tape.Ints(offsets);
                Products rows = new(kernel, default, default, default, loads.Length, all, Columns: 200, Inner: 256),
                    inner = new(kernel, default, default, default, loads.Length, Rows: 150, Columns: 96, Inner: all);
                AssertCovered(rows with { Ragged = Ragged.Rows, Offsets = ints }, threads, loads, 256);
                AssertCovered(inner with { Ragged = Ragged.Inner, Offsets = ints }, threads, [.. loads.Select(_ => 150)], all);
            }

            foreach (var (count, rows, columns, inner) in new[] { (1, 300, 8, 256), (1, 8, 256, 2048), (1, 513, 40, 8), (3, 70, 130, 700) })
            {
                Products products = new(kernel, default, default, default, count, rows, columns, inner);
                AssertCovered(products, threads, [.. Enumerable.Repeat(rows, count)], inner);
            }
        }
    }

    [Theory]
    [InlineData(8, false)]
    [InlineData(9, true)]
    [InlineData(64, true)]
    public void Locate_LastPiecesOfExperts_AreSmallerWhereManyThreadsWaitForThem(int threads, bool areSmaller)
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        Products products = new(MicroKernel.Bits256, default, default, default, 4, 4096, Columns: 512, Inner: 512);
        products = (products with { Ragged = Ragged.Rows, Offsets = tape.Ints([0, 1024, 2048, 3072, 4096]) })
            .Cut(threads, Caches.Smallest);
        Tile first = products.Locate(0), last = products.Locate(products.Pieces() - 1);
        Assert.Equal(areSmaller, 2 * last.Rows * last.Columns < first.Rows * first.Columns);
    }

    private static void AssertCovered(Products products, int threads, int[] rowsOfEach, int inner)
    {
        products = products.Cut(threads, Caches.Smallest);
        int columns = products.Columns, size = rowsOfEach.Max() * columns;
        int[] times = new int[products.Count * products.Slices * size];
        for (int piece = 0; piece < products.Pieces(); piece++)
        {
            Tile tile = products.Locate(piece);
            Assert.InRange(tile.Row + tile.Rows, tile.Row, rowsOfEach[tile.Product]);
            Assert.InRange(tile.Column + tile.Columns, tile.Column, columns);
            for (int row = tile.Row; row < tile.Row + tile.Rows; row++)
            {
                for (int column = tile.Column; column < tile.Column + tile.Columns; column++)
                    times[(tile.Product * products.Slices + tile.Slice) * size + row * columns + column]++;
            }
        }

        for (int i = 0; i < times.Length; i++)
        {
            int wanted = i % size / columns < rowsOfEach[i / size / products.Slices] ? 1 : 0;
            Assert.True(times[i] == wanted, $"{products.Count} x {products.Rows} x {columns} x {inner} on {threads} threads: {times[i]}");
        }
    }
}
