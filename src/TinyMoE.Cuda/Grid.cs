using TinyMoE.Memory;

namespace TinyMoE.Cuda;

/// <summary>How many blocks of how many threads a kernel is launched with.</summary>
/// <param name="X">Blocks.</param>
/// <param name="Y">Blocks in the second direction.</param>
/// <param name="Z">Blocks in the third.</param>
/// <param name="Threads">Threads per block.</param>
/// <param name="SharedBytes">Dynamic shared memory per block.</param>
internal readonly record struct Grid(int X, int Y = 1, int Z = 1, int Threads = Grid.BlockSize, int SharedBytes = 0)
{
    /// <summary>Threads of a block where a kernel does not say otherwise.</summary>
    public const int BlockSize = 256;

    /// <summary>Enough blocks to fill the largest card many times over; a kernel with more work walks on by its grid's size.</summary>
    private const int MostBlocks = 4096;

    /// <summary>For n elements, <paramref name="each"/> of them per thread; of none, nothing is launched.</summary>
    public static Grid Elements(long n, int each = 4)
    {
        long block = (long)BlockSize * each;
        return new Grid((int)Math.Min(Ceiling.Divide(n, block), MostBlocks));
    }

    /// <summary>For N rows, <paramref name="rowsPerBlock"/> of them per block.</summary>
    public static Grid Rows(int N, int rowsPerBlock = 1, int threads = BlockSize) => new(Ceiling.Divide(N, rowsPerBlock), Threads: threads);
}
