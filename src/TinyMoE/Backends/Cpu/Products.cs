using TinyMoE.Memory;

namespace TinyMoE.Backends.Cpu;

/// <summary>One side of a family of products: lanes (rows of a, columns of b) by steps of
/// the inner dimension. Its strides make it transposed or not; one of them is 1.</summary>
/// <param name="Data">The values; of the left side always float32.</param>
/// <param name="LaneStride">From a lane to the next.</param>
/// <param name="InnerStride">From a step of the inner dimension to the next.</param>
internal readonly record struct Operand(Weights Data, int LaneStride, int InnerStride)
{
    /// <summary>True when each lane lies along the inner dimension.</summary>
    public bool LiesAlongInner => InnerStride == 1;
}

/// <summary>One product of a family: where its matrices begin, and its sizes.</summary>
internal readonly unsafe struct Product(float* a, nint b, float* c, int rows, int inner)
{
    public float* A => a;

    /// <summary>The address of b, in the type of its weights.</summary>
    public nint B => b;

    public float* C => c;

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
/// A family of products c = a·b (of a batch, or one per expert) and how it is cut into tiles of c: the tiles of all products
/// are one work list. The cut depends on the sizes only, and no sum is cut, so results do not depend on the number of threads.
/// </summary>
/// <param name="Kernel">The micro-kernel.</param>
/// <param name="A">The left sides.</param>
/// <param name="B">The right sides.</param>
/// <param name="C">The results, row-major.</param>
/// <param name="Count">Number of products.</param>
/// <param name="Rows">Rows of a and c; of all products together when ragged.</param>
/// <param name="Columns">Columns of b and c.</param>
/// <param name="Inner">Columns of a, rows of b; of all products together when ragged.</param>
internal readonly unsafe record struct Products(
    MicroKernel Kernel, Operand A, Operand B, Target C, int Count, int Rows, int Columns, int Inner)
{
    private const int ThinRows = 8;
    private const int MostTiles = 32;
    private const int ThinWork = 32 * 1024; // elements of b that a tile of a thin product reads
    private const int LeastWork = 2 * 1024 * 1024; // multiply-adds that a tile has at least, or waking a thread costs more than it saves
    private const int MostRows = 512, FewRows = 64;       // of a tile: the more, the oftener a panel of b is used while it is near
    private const int ManyColumns = 256, FewColumns = 64; // of a tile: the more, the oftener its rows of a

    /// <summary>Rows of a tile that are worth a packed panel of b: where it could be read
    /// in place too, its lines, side by side, share no places in the cache.</summary>
    public const int RowsWorthPacking = 128;

    /// <summary>The dimension that the offsets cut.</summary>
    public Ragged Ragged { get; init; }

    /// <summary>Product i owns rows, or steps of the inner dimension, Offsets[i]
    /// to Offsets[i+1]; (Count+1), empty when nothing is ragged.</summary>
    public Ints Offsets { get; init; }

    /// <summary>The step that finishes each tile.</summary>
    public Epilogue Epilogue { get; init; }

    /// <summary>Rows of a tile: a multiple of the micro-kernel's, or all of a thin product.</summary>
    public int TileRows { get; private init; }

    /// <summary>Columns of a tile: a multiple of the micro-kernel's, unless the product is thin.</summary>
    public int TileColumns { get; private init; }

    /// <summary>Whether b is to be widened.</summary>
    public bool IsNarrow => B.Data.Type != ElementType.Float32;

    private int TilesAcross => Ceiling.Divide(Columns, TileColumns);

    /// <summary>Product <paramref name="index"/>.</summary>
    public Product this[int index]
    {
        get
        {
            // The matrices lie one behind the other. Ragged, the offsets say how many rows (or steps) lie before this one instead: b of a
            // ragged inner dimension is x, cut into experts by the same offsets as dy.
            nint first = index, rows = first * Rows, steps = first * Inner; // rows and steps of the products before this one
            int ownRows = Rows, ownSteps = Inner;
            if (Ragged == Ragged.Rows)
                (rows, ownRows) = Share(index);
            else if (Ragged == Ragged.Inner)
                (steps, ownSteps) = Share(index);

            return new Product(
                (float*)A.Data.Address + (Ragged == Ragged.Inner ? steps * Rows : rows * Inner),
                Ragged == Ragged.Rows ? B.Data.AddressOf(index, (long)Inner * Columns)
                    : B.Data.Address + (nint)B.Data.Type.BytesOf(steps * Columns),
                C.View.Pointer + rows * Columns,
                ownRows,
                ownSteps);
        }
    }

    /// <summary>These products with tiles chosen: rows are cut into long stretches, then columns,
    /// then each again where tiles are still too few; a thin product only by columns.</summary>
    public Products Cut()
    {
        if (IsThin)
            return this with { TileRows = ThinRows, TileColumns = Math.Clamp(ThinWork / Math.Max(1, Inner), 1, Columns) };
        // Of experts only the sum of their rows is known where nothing may depend on the routing: the cut takes equal shares. First as many
        // tiles as there is work for, then tall ones (a panel of b serves more rows), then wide ones, then smaller ones until all threads
        // have some. Nowhere does the number of threads come in.
        int rows = Math.Max(1, Ragged == Ragged.Rows ? Rows / Count : Rows),
            inner = Math.Max(1, Ragged == Ragged.Inner ? Inner / Count : Inner);
        long work = (long)Count * rows * Columns * inner;
        int wanted = Ceiling.Divide((int)Math.Clamp(work / LeastWork, 1, MostTiles), Count); // of each product
        int down = Ceiling.Divide(rows, MostRows), across = Math.Clamp(wanted / down, 1, Ceiling.Divide(Columns, ManyColumns));
        down = Math.Max(down, Math.Min(wanted / across, Ceiling.Divide(rows, B.LiesAlongInner || IsNarrow ? RowsWorthPacking : FewRows)));
        across = Math.Max(across, Math.Min(wanted / down, Ceiling.Divide(Columns, FewColumns)));
        return this with
        {
            TileRows = Ceiling.Multiple(Ceiling.Divide(rows, down), Kernel.Rows),
            TileColumns = Ceiling.Multiple(Ceiling.Divide(Columns, across), Kernel.Lanes),
        };
    }

    /// <summary>
    /// Whether so few rows are computed as dot products with b where it lies: to pack b costs as much.
    /// It depends on all rows together, never on an expert's share: a row's sum is then in the same
    /// order whatever the other rows are, and a token's output does not feel where its neighbours go.
    /// </summary>
    public bool IsThin => Rows <= ThinRows && A.LiesAlongInner && B.LiesAlongInner;

    /// <summary>Number of tiles of all products.</summary>
    public int Tiles()
    {
        if (Ragged != Ragged.Rows)
            return Count * Ceiling.Divide(Rows, TileRows) * TilesAcross;
        int down = 0;
        for (int i = 0; i < Count; i++)
            down += Ceiling.Divide(Share(i).Length, TileRows);
        return down * TilesAcross;
    }

    /// <summary>Finds tile <paramref name="tile"/>: its product, first row and first column.</summary>
    public (int Product, int Row, int Column) Locate(int tile)
    {
        var (down, across) = Math.DivRem(tile, TilesAcross);
        int product = 0;
        if (Ragged == Ragged.Rows)
        {
            for (int tiles; down >= (tiles = Ceiling.Divide(Share(product).Length, TileRows)); product++)
                down -= tiles;
        }
        else
        {
            (product, down) = Math.DivRem(down, Ceiling.Divide(Rows, TileRows));
        }

        return (product, down * TileRows, across * TileColumns);
    }

    private (int Start, int Length) Share(int index) => (Offsets.Pointer[index], Offsets.Pointer[index + 1] - Offsets.Pointer[index]);
}
