using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <summary>One product of a family: where its matrices begin, b packed too, and its sizes.</summary>
internal readonly unsafe struct Product(float* a, float* b, float* c, float* panels, int rows, int inner)
{
    public float* A => a;

    public float* B => b;

    public float* C => c;

    public float* Panels => panels;

    public int Rows => rows;

    public int Inner => inner;
}

/// <summary>Which dimension of a family of products the offsets cut into experts.</summary>
internal enum Ragged
{
    /// <summary>None: all products have the same sizes.</summary>
    None,

    /// <summary>The rows of a and c: each expert computes its own tokens.</summary>
    Rows,

    /// <summary>The inner dimension: each expert sums over its own tokens.</summary>
    Inner,
}

/// <summary>
/// A family of products c = a·b (of a batch, or one an expert) and how it is cut into tiles of c: the tiles of all products are one work list.
/// The cut depends on the sizes only, and no sum is cut, so results do not depend on the number of threads.
/// </summary>
/// <param name="Kernel">The micro-kernel.</param>
/// <param name="A">The left sides.</param>
/// <param name="B">The right sides.</param>
/// <param name="C">The results, row-major.</param>
/// <param name="Count">Number of products.</param>
/// <param name="Rows">Rows of a and c; of all products together when ragged.</param>
/// <param name="Columns">Columns of b and c.</param>
/// <param name="Inner">Columns of a, rows of b; of all products together when ragged.</param>
internal readonly unsafe record struct Products(MicroKernel Kernel, Floats A, Floats B, Target C, int Count, int Rows, int Columns, int Inner)
{
    private const int ThinRows = 4;
    private const int WantedTiles = 32;
    private const int LeastWork = 256 * 1024; // multiply-adds that a tile has at least, or waking a thread costs more than it saves
    private const int LeastPack = 16 * 1024; // elements likewise

    /// <summary>From one element of a to the next: down a row, along the inner dimension. One of them is 1.</summary>
    public required (int Row, int Inner) AStrides { get; init; }

    /// <summary>The same of b.</summary>
    public required (int Inner, int Column) BStrides { get; init; }

    /// <summary>What the offsets cut.</summary>
    public Ragged Ragged { get; init; }

    /// <summary>Product i owns rows, or steps of the inner dimension, Offsets[i] to Offsets[i+1]; (Count+1), empty when nothing is ragged.</summary>
    public Ints Offsets { get; init; }

    /// <summary>Room for all of b as panels of <see cref="MicroKernel.Columns"/> columns, each as deep as its product.</summary>
    public Floats Packed { get; init; }

    /// <summary>Rows of a tile: a multiple of the micro-kernel's.</summary>
    public int TileRows { get; private init; }

    /// <summary>Columns of a tile: a multiple of the micro-kernel's.</summary>
    public int TileColumns { get; private init; }

    /// <summary>How many panels are packed as one piece of work.</summary>
    public int PanelsPerPiece { get; private init; }

    /// <summary>Panels of one b.</summary>
    public int PanelsPerProduct => CeilingDivide(Columns, Kernel.Columns);

    /// <summary>Elements of <see cref="Packed"/>.</summary>
    public int PackedLength => checked((Ragged == Ragged.Inner ? Inner : Count * Inner) * PanelsPerProduct * Kernel.Columns);

    private int TilesAcross => CeilingDivide(Columns, TileColumns);

    /// <summary>Product <paramref name="index"/>.</summary>
    public Product this[int index]
    {
        get
        {
            bool raggedRows = Ragged == Ragged.Rows, raggedInner = Ragged == Ragged.Inner;
            nint start = 0, panelRow = PanelsPerProduct * Kernel.Columns;
            int length = 0;
            if (Ragged != Ragged.None)
                (start, length) = (Offsets.Pointer[index], Offsets.Pointer[index + 1] - Offsets.Pointer[index]);
            return new Product(
                A.Pointer + (raggedRows ? start * AStrides.Row : raggedInner ? start * AStrides.Inner : (nint)index * Rows * Inner),
                B.Pointer + (raggedInner ? start * BStrides.Inner : (nint)index * Inner * Columns),
                C.View.Pointer + (raggedRows ? start * Columns : (nint)index * Rows * Columns),
                Packed.Pointer + (raggedInner ? start : (nint)index * Inner) * panelRow,
                raggedRows ? length : Rows,
                raggedInner ? length : Inner);
        }
    }

    /// <summary>The same with tiles chosen: rows are cut first, since a tile reads its rows of a once and all tiles share b; columns too where rows are few.</summary>
    public Products Cut()
    {
        long rows = Ragged == Ragged.Rows ? Rows : (long)Rows * Count, inner = Ragged == Ragged.Inner ? Inner / Count : Inner;
        int wanted = (int)Math.Clamp(rows * Columns * inner / LeastWork, 1, WantedTiles);
        int tileRows = (int)Math.Clamp(rows / wanted, 4 * Kernel.Rows, 16 * Kernel.Rows) / Kernel.Rows * Kernel.Rows;
        int down = (int)Math.Max(1, rows / tileRows), across = Math.Clamp(wanted / down, 1, CeilingDivide(PanelsPerProduct, 4));
        return this with
        {
            TileRows = tileRows,
            TileColumns = CeilingDivide(PanelsPerProduct, across) * Kernel.Columns,
            PanelsPerPiece = (int)Math.Max(1, LeastPack / Math.Max(1, inner * Kernel.Columns)),
        };
    }

    /// <summary>Whether a product of so few rows is computed as dot products with b where it lies: to pack b costs as much.</summary>
    public bool IsThin(int rows) => rows <= ThinRows && AStrides.Inner == 1 && BStrides.Inner == 1;

    /// <summary>Tiles of all products.</summary>
    public int Tiles()
    {
        if (Ragged != Ragged.Rows)
            return Count * CeilingDivide(Rows, TileRows) * TilesAcross;
        int down = 0;
        for (int i = 0; i < Count; i++)
            down += CeilingDivide(this[i].Rows, TileRows);
        return down * TilesAcross;
    }

    /// <summary>Finds tile <paramref name="tile"/>: its product, first row and first column.</summary>
    public (int Product, int Row, int Column) Locate(int tile)
    {
        var (down, across) = Math.DivRem(tile, TilesAcross);
        int product = 0;
        if (Ragged == Ragged.Rows)
        {
            for (int tiles; down >= (tiles = CeilingDivide(this[product].Rows, TileRows)); product++)
                down -= tiles;
        }
        else
        {
            (product, down) = Math.DivRem(down, CeilingDivide(Rows, TileRows));
        }

        return (product, down * TileRows, across * TileColumns);
    }

    private static int CeilingDivide(int n, int size) => (int)(((long)n + size - 1) / size);
}
