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

    /// <summary>Whether what is read side by side, <paramref name="lanes"/> or <paramref name="steps"/>, whichever lie apart, crowds itself
    /// out of the first level.</summary>
    public bool Conflicts(int lanes, int steps, Caches caches) => LiesAlongInner
        ? caches.Conflicts(lanes, (long)LaneStride * sizeof(float))
        : caches.Conflicts(steps, (long)InnerStride * sizeof(float));
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

/// <summary>A piece of the work list: rows and columns of c of a product, or a slice of the sum there; at an edge maybe none.</summary>
internal readonly record struct Tile(int Product, int Row, int Column, int Rows, int Columns, int Slice);

/// <summary>
/// A family of products c = a·b (of a batch, or one per expert) and how it is cut into tiles of c: the tiles of all products
/// are one work list. The cut depends on the sizes, the threads and the caches; no sum is cut, so results depend on the sizes alone.
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
    /// <summary>Rows of a thin product at most.</summary>
    public const int ThinRows = 8;

    /// <summary>Elements of b that a tile of a thin product reads.</summary>
    public const int ThinWork = 32 * 1024;

    /// <summary>More threads than so many wait longer for the last piece than smaller pieces, and slices, cost.</summary>
    public const int ManyThreads = 8;

    private const int LeastWork = 1024 * 1024; // multiply-adds that a tile has at least, or waking a thread costs more than it saves
    private const int TilesPerThread = 16; // so that a thread takes over what a slower one has not begun, and waits for little at the end
    private const int MostRows = 256, MostColumns = 512; // of a tile: more brings nothing
    private const int ManyLanes = 128, FewLanes = 32;    // rows, and columns: the more, the oftener what is near is used
    private const int RowsWorthPacking = 128, ColumnsWorthPacking = 128; // that repay a packed panel of b, packed strips of a

    /// <summary>The dimension that the offsets cut.</summary>
    public Ragged Ragged { get; init; }

    /// <summary>Product i owns rows, or steps of the inner dimension, Offsets[i]
    /// to Offsets[i+1]; (Count+1), empty when nothing is ragged.</summary>
    public Ints Offsets { get; init; }

    /// <summary>How many sequences' rows they are, all equally many: see <see cref="Backend.Sequences"/>.</summary>
    public int Sequences { get; init; } = 1;

    /// <summary>The step that finishes each tile.</summary>
    public Epilogue Epilogue { get; init; }

    /// <summary>Rows of a tile, of an expert with its share of them (<see cref="HeightOf"/>): a multiple of the micro-kernel's,
    /// or all of a thin product.</summary>
    private int TileRows { get; init; }

    /// <summary>Rows of a tile at most.</summary>
    private int MostTileRows { get; init; }

    /// <summary>Columns of a tile: a multiple of the micro-kernel's, unless the product is thin.</summary>
    private int TileColumns { get; init; }

    /// <summary>Slices of the inner dimension, of a block each, that are pieces of their own; 1 where a piece is a tile.</summary>
    public int Slices { get; private init; } = 1;

    /// <summary>Whether experts with more steps have smaller tiles, so that all tiles take as long.</summary>
    private bool EvensSteps { get; init; }

    /// <summary>Tiles at the beginning of the list that are a piece each.</summary>
    private int Whole { get; init; } = int.MaxValue;

    /// <summary>Tiles after those that are two pieces each; the rest are four.</summary>
    private int Halved { get; init; }

    /// <summary>What the tiles were chosen for.</summary>
    private Caches Caches { get; init; } = Caches.Smallest;

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

    /// <summary>
    /// These products with tiles chosen for so many threads: as few as the caches allow, and <see cref="TilesPerThread"/> for each thread
    /// where there is work for more than one; a thin product only by columns. No sum is cut, so the bits are the same whatever the tiles.
    /// </summary>
    public Products Cut(int threads, Caches caches)
    {
        if (IsThin)
            return this with { TileRows = ThinRows, TileColumns = Math.Clamp(ThinWork / Math.Max(1, Inner), 1, Columns) };
        // Of experts only the sum of their rows is known where nothing may depend on the routing: the cut takes equal shares.
        int rows = Math.Max(1, Ragged == Ragged.Rows ? Rows / Count : Rows),
            inner = Math.Max(1, Ragged == Ragged.Inner ? Inner / Count : Inner);
        // A block of a, which streams past every panel of b, has half of the second level.
        int mostRows = Math.Clamp(caches.SecondLevel / 2 / (CpuBackend.DepthOf(inner) * sizeof(float)), FewLanes, MostRows);
        int leastDown = Ceiling.Divide(rows, mostRows), leastAcross = Ceiling.Divide(Columns, MostColumns);
        int columns = Columns, count = Count;
        bool many = threads > ManyThreads;
        // Few rows, columns or steps, as of a router, take about as long as a few more: the other two sizes are read or written.
        int least = many ? FewLanes : 1;
        long work = (long)count * Math.Max(least, rows) * Math.Max(least, columns) * Math.Max(least, inner);
        int wanted = threads == 1 ? 1 : (int)Math.Clamp(work / (many ? LeastWork / 4 : LeastWork), 1, TilesPerThread * (long)threads);
        int slices = many && Ragged == Ragged.None && Epilogue.IsNone ? Ceiling.Divide(inner, CpuBackend.DepthOf(inner)) : 1;
        // Rather small tiles than idle threads.
        int enough = Math.Min(wanted, (many ? 8 : 2) * threads), fewestRows = ManyLanes, fewestColumns = ManyLanes;
        var (down, across) = Split();
        while (Count * down * across * slices < enough && fewestRows > FewLanes)
        {
            if (fewestColumns == fewestRows)
                fewestColumns /= 2;
            else
                fewestRows /= 2;
            (down, across) = Split();
        }

        Products cut = this with
        {
            TileRows = Ceiling.Multiple(Ceiling.Divide(rows, down), Kernel.Rows),
            MostTileRows = mostRows,
            TileColumns = Ceiling.Multiple(Ceiling.Divide(Columns, across), Kernel.Lanes),
            Slices = count * down * across < enough ? slices : 1,
            EvensSteps = many,
            Caches = caches,
        };
        return many && Ragged != Ragged.None ? cut.Tapered(threads) : cut;

        // First by rows, which read a whole row of b's panels each; then by columns.
        (int Down, int Across) Split()
        {
            int tiles = Ceiling.Divide(wanted, count);
            int down = Math.Max(leastDown, Math.Min(tiles / leastAcross, Ceiling.Divide(rows, fewestRows)));
            return (down, Math.Max(leastAcross, Math.Min(Ceiling.Divide(tiles, down), Ceiling.Divide(columns, fewestColumns))));
        }
    }

    /// <summary>Whether a tile packs its rows of a: where its lines would crowd each other out of the first level, and are read often
    /// enough to repay it; and rows too few for a strip.</summary>
    public bool PacksA(int rows, int columns, int depth) => rows < Kernel.Rows
        || (columns >= ColumnsWorthPacking && A.Conflicts(Kernel.Rows, depth, Caches));

    /// <summary>
    /// Whether a tile packs panels of b: where they would be read across their lines (transposed) or are to be widened, where so many rows
    /// follow that a dense panel repays it, or half as many where its lines would crowd each other out of the first level.
    /// </summary>
    public bool PacksB(int rows, int depth) => IsNarrow || B.LiesAlongInner || rows >= RowsWorthPacking
        || (rows >= RowsWorthPacking / 2 && B.Conflicts(Kernel.Columns, depth, Caches));

    /// <summary>
    /// Whether so few rows are computed as dot products with b where it lies: to pack b costs as much.
    /// It depends on all rows of a sequence together, never on an expert's share: a row's sum is then in the same
    /// order whatever the other rows are, and a token's output does not feel where its neighbours go.
    /// </summary>
    public bool IsThin => Rows <= ThinRows * Sequences && A.LiesAlongInner && B.LiesAlongInner;

    /// <summary>Number of pieces.</summary>
    public int Pieces()
    {
        int tiles = Tiles();
        return tiles <= Whole ? tiles * Slices : Whole + 2 * Halved + 4 * (tiles - Whole - Halved);
    }

    /// <summary>Piece <paramref name="piece"/>.</summary>
    public Tile Locate(int piece)
    {
        int part = 0, parts = 1;
        if (piece >= Whole)
        {
            bool halved = piece < Whole + 2 * Halved;
            int first = halved ? Whole : Whole + Halved;
            parts = halved ? 2 : 4;
            (piece, part) = Math.DivRem(piece - (halved ? Whole : Whole + 2 * Halved), parts);
            piece += first;
        }

        var (tile, slice) = Math.DivRem(piece, Slices);
        var (down, across) = Math.DivRem(tile, TilesAcross);
        int product = 0;
        if (Ragged == Ragged.None)
            (product, down) = Math.DivRem(down, TilesDown(0));
        for (int tiles; Ragged != Ragged.None && down >= (tiles = TilesDown(product)); product++)
            down -= tiles;
        var (allRows, steps) = SizesOf(product);
        int height = HeightOf(allRows, steps);
        var (row, rows) = PartOf(down * height, Math.Min(height, allRows - down * height), Kernel.Rows, parts > 1, part % 2);
        int left = across * TileColumns;
        var (column, columns) = PartOf(left, Math.Min(TileColumns, Columns - left), Kernel.Lanes, parts > 2, part / 2);
        return new Tile(product, row, column, rows, columns, slice);

        static (int Start, int Length) PartOf(int start, int length, int unit, bool halved, int half)
        {
            int above = halved ? Math.Min(length, Ceiling.Multiple(Ceiling.Divide(length, 2), unit)) : length;
            return half == 0 ? (start, above) : (start + above, length - above);
        }
    }

    /// <summary>
    /// These products with smaller pieces at the end of the list: threads wait for the last pieces, and those of experts do not take the
    /// same time, as their sizes differ, and so does what of their rows is in a cache. If all were so small, too much would be packed
    /// again.
    /// </summary>
    private Products Tapered(int threads)
    {
        int tiles = Tiles(), quartered = threads / 2, halved = threads + threads / 2;
        return tiles <= quartered + halved ? this : this with { Whole = tiles - quartered - halved, Halved = halved };
    }

    /// <summary>Number of tiles of all products.</summary>
    private int Tiles()
    {
        int down = Ragged == Ragged.None ? Count * TilesDown(0) : 0;
        for (int i = 0; Ragged != Ragged.None && i < Count; i++)
            down += TilesDown(i);
        return down * TilesAcross;
    }

    private (int Rows, int Steps) SizesOf(int index) =>
        (Ragged == Ragged.Rows ? Share(index).Length : Rows, Ragged == Ragged.Inner ? Share(index).Length : Inner);

    private int TilesDown(int index)
    {
        var (rows, steps) = SizesOf(index);
        return Ceiling.Divide(rows, HeightOf(rows, steps));
    }

    /// <summary>
    /// Rows of the tiles of a product. An expert has more or fewer rows, or steps, than its share: it is cut into equal
    /// tiles, as many as it has shares, rounded; a whole tile and a sliver would pack b for the few rows of the sliver.
    /// </summary>
    private int HeightOf(int rows, int steps)
    {
        if (IsThin)
            return TileRows;
        int down = Ceiling.Divide(rows, TileRows);
        if (Ragged == Ragged.Rows)
            down = Math.Max(Ceiling.Divide(rows, MostTileRows), (rows + TileRows / 2) / TileRows);
        else if (Ragged == Ragged.Inner && EvensSteps)
            down = (int)Math.Min(Ceiling.Divide(rows, FewLanes), ((long)down * steps * Count + Inner / 2) / Math.Max(1, Inner));
        return Ceiling.Multiple(Math.Max(1, Ceiling.Divide(rows, Math.Max(1, down))), Kernel.Rows);
    }

    private (int Start, int Length) Share(int index) => (Offsets.Pointer[index], Offsets.Pointer[index + 1] - Offsets.Pointer[index]);
}
