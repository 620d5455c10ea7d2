using TinyMoE.Memory;

namespace TinyMoE.Cuda;

/// <summary>A kernel of attention on tensor cores
/// (native/kernels/attention.sm_80.cu): its template's numbers, which decide its grid.</summary>
/// <param name="Name">Its name in the PTX.</param>
/// <param name="Size">Of heads, of keys or of values, the largest that it takes.</param>
/// <param name="Warps">Warps per block: each owns 16 rows.</param>
/// <param name="Others">Rows of the other kind in a tile: keys for queries, queries for keys.</param>
/// <param name="Columns">Columns of the gradients that a block adds up; 0: all.</param>
internal sealed record TiledKernel(string Name, int Size, int Warps, int Others, int Columns = 0)
{
    private const int WarpRows = 16;

    /// <summary>Rows that a block owns.</summary>
    public int Rows => Warps * WarpRows;

    /// <summary>Blocks for so many rows of each of so many heads, of <paramref name="size"/> columns of a type, with
    /// <paramref name="ownTiles"/> and <paramref name="otherTiles"/> in shared memory, and some floats per row of the others.</summary>
    public Grid For(int rows, int heads, int size, ElementType type, int ownTiles, int otherTiles, int floatsPerOther = 0)
    {
        int parts = Columns == 0 ? 1 : Ceiling.Divide(size, Columns);
        int rowBytes = (int)type.BytesOf(Size) + 16;
        int tiles = ((ownTiles * Rows) + (otherTiles * Others)) * rowBytes;
        int dropout = Warps * WarpRows * Others / 4;
        return new Grid(
            Ceiling.Divide(rows, Rows) * heads * parts, Threads: Warps * 32,
            SharedBytes: tiles + (floatsPerOther * Others * sizeof(float)) + dropout);
    }
}
