using System.Numerics;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// How the kernels of matrices (N, C) are launched: the numbers of native/kernels/rows.cuh.
// They come from the sizes alone, so sums have the same order on every card.
public sealed unsafe partial class CudaBackend
{
    private const int WarpSize = 32;
    private const int KeptFours = 2;

    /// <summary>Blocks of rows that a sum over rows has at most: their partial rows are then added up by one block.</summary>
    private const int MostRowBlocks = 256;

    /// <summary>Blocks of a kernel that walks on over rows by itself.</summary>
    private const int MostBlocks = 4096;

    /// <summary>How many threads lie side by side over C columns, four each: a power of two, at most a warp.</summary>
    private static int LanesOfFours(int C) =>
        (int)Math.Min(WarpSize, BitOperations.RoundUpToPowerOf2((uint)Math.Max(1, Ceiling.Divide(C, 4))));

    /// <summary>How many threads have a row.</summary>
    private static int TeamOf(int C)
    {
        int size = LanesOfFours(C);
        while (size < Grid.BlockSize && 4 * size * KeptFours < C)
            size *= 2;
        return size;
    }

    /// <summary>For kernels where a team of threads has a row, or <paramref name="rowsPerTeam"/>
    /// of them, where it keeps something from row to row.</summary>
    private static Grid TeamGrid(long N, int C, int rowsPerTeam = 1)
    {
        long rows = Grid.BlockSize / TeamOf(C) * rowsPerTeam;
        return new Grid((int)Math.Min(Ceiling.Divide(N, rows), MostBlocks));
    }

    /// <summary>For kernels that walk down the columns of N rows: a thread takes <paramref name="rows"/> fours.</summary>
    private static Grid WalkGrid(int N, int C, int rows) => Grid.Elements((long)N * Ceiling.Divide(C, 4) * 4, 4 * rows);

    /// <summary>For sums over rows by tiles of columns, in <paramref name="blocks"/> blocks of rows.</summary>
    private static Grid TileGrid(int C, int blocks) => new(Ceiling.Divide(Ceiling.Divide(C, 4), LanesOfFours(C)), blocks);

    /// <summary>How many rows a block adds up in a sum over rows: enough that the partial
    /// rows are few beside the rows, and so many that the blocks are few.</summary>
    private static int RowsPerBlock(int N, int C) =>
        Math.Max(Ceiling.Divide(N, MostRowBlocks), Math.Max(32, 4 * Grid.BlockSize / TeamOf(C)));

    /// <summary>y = Σ of the partial rows (blocks, C).</summary>
    private void AddPartials(Floats partials, int blocks, int C, Target y) =>
        Launch("sum_rows", TileGrid(C, 1), partials, 1f, blocks, C, blocks, y);
}
