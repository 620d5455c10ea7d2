using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Products of experts by kernels of our own, native/kernels/grouped_products.cu and, on tensor cores, grouped_products.sm_80.cu: they read
// the offsets where they are made, on the device. The host tells them sizes only, so it waits for no expert's rows; the grid has room for
// any routing.
public sealed unsafe partial class CudaBackend
{
    private const int SmallTile = 64, LargeTile = 128;
    private const int LeastLargeTiles = 264; // two for each multiprocessor of an H100
    private const int LeastPieceRows = 256, PieceBlocks = 512;

    /// <inheritdoc/>
    /// <remarks>Where the products are cuBLAS's, somebody has to move the rows for them all the same.</remarks>
    public override bool ReadsRowsByToken(ElementType type, int E, int rows, int inputs, int outputs) =>
        !MovesRows && IsOwn(isNarrow: type == ElementType.Bfloat16, E, rows, inputs, outputs);

    /// <summary>Whether rows are moved all the same: for comparison.</summary>
    internal bool MovesRows { get; set; }

    /// <inheritdoc/>
    protected override void GatheredMatMul(
        Floats x, Ints tokens, Weights w, Ints offsets, int E, int rows, int N, int inputs, int outputs, Target y,
        in Epilogue epilogue = default)
    {
        if (IsEmpty(y, rows, outputs))
            return;
        if (AreThin(w, rows, MostThinRows))
            MultiplyThinExperts(x, tokens, w, offsets, E, rows, inputs, outputs, y, epilogue);
        else
            OwnGroupedMatMul(
                ReadOf(x, N * inputs, w, (long)E * inputs * outputs), tokens, offsets, E, rows, inputs, outputs, y, epilogue);
    }

    /// <inheritdoc/>
    public override void GatheredMatMul(
        Values x, Ints tokens, Weights w, Ints offsets, int E, int rows, int N, int inputs, int outputs, Target y,
        in Epilogue epilogue = default)
    {
        if (!TakesNarrow(x, w, y, epilogue))
            base.GatheredMatMul(x, tokens, w, offsets, E, rows, N, inputs, outputs, y, in epilogue);
        else if (!IsEmpty(y, rows, outputs))
            OwnGroupedMatMul(AsTheyLie(x, w), tokens, offsets, E, rows, inputs, outputs, y, epilogue);
    }

    /// <inheritdoc/>
    protected override void GatheredMatMulBackwardWeight(
        Floats dy, Floats x, Ints tokens, Ints offsets, int E, int rows, int N, int inputs, int outputs, Target dw)
    {
        if (!IsEmpty(dw, (long)E * outputs, inputs))
            OwnGroupedMatMulBackwardWeight(KindOfFloat32, dy.Address, x.Address, tokens, offsets, E, rows, inputs, outputs, dw);
    }

    /// <inheritdoc/>
    public override void GatheredMatMulBackwardWeight(
        Values dy, Values x, Ints tokens, Ints offsets, int E, int rows, int N, int inputs, int outputs, Target dw)
    {
        if (dw.Type != ElementType.Float32 || !TakesNarrow(dy, x, dw, default))
            base.GatheredMatMulBackwardWeight(dy, x, tokens, offsets, E, rows, N, inputs, outputs, dw);
        else if (!IsEmpty(dw, (long)E * outputs, inputs))
            OwnGroupedMatMulBackwardWeight(
                TensorCores.Bfloat16, dy.Address, x.Address, tokens, offsets, E, rows, inputs, outputs, dw);
    }

    /// <summary>y[n] = w[e]·x[n], of the rows that <paramref name="tokens"/> name where they are given; returns what was read.</summary>
    private void OwnGroupedMatMul(
        in ReadWeights read, Ints tokens, Ints offsets, int E, int N, int inputs, int outputs, Target y, in Epilogue epilogue)
    {
        Tiling tiles = TilesOfRows(read, E, N, outputs, inputs, areAligned: true);
        if (y.Type == ElementType.Bfloat16)
            Launch(
                tiles.AreLarge ? "grouped_forward_narrow_128" : "grouped_forward_narrow_64", tiles.Grid,
                read.Left, tokens, read.Right, offsets, E, N, inputs, outputs, Narrow(y), epilogue.Bias, (int)epilogue.Activation,
                Narrow(epilogue.Gate), Narrow(epilogue.Activated), false);
        else
            Launch(
                tiles.Kind == TensorCores.Off ? tiles.AreLarge ? "grouped_forward_128" : "grouped_forward_64"
                : tiles.Kind == TensorCores.Tf32 ? tiles.AreLarge ? "grouped_forward_tf32_128" : "grouped_forward_tf32_64"
                : tiles.AreLarge ? "grouped_forward_bfloat16_128" : "grouped_forward_bfloat16_64",
                tiles.Grid,
                read.Left, tokens, read.Right, offsets, E, N, inputs, outputs, y, epilogue.Bias, (int)epilogue.Activation,
                epilogue.Gate.Float32, epilogue.Activated.Float32, epilogue.Precision == ElementType.Bfloat16);
        Return(read);
    }

    /// <summary>dx[n] = w[e]ᵀ·dy[n]; returns what was read.</summary>
    private void OwnGroupedMatMulBackwardInput(in ReadWeights read, Ints offsets, int E, int N, int inputs, int outputs, Target dx)
    {
        Tiling tiles = TilesOfRows(read, E, N, inputs, outputs, areAligned: inputs % UnitOf(KindOf(read)) == 0);
        if (dx.Type == ElementType.Bfloat16)
            Launch(
                tiles.AreLarge ? "grouped_backward_input_narrow_128" : "grouped_backward_input_narrow_64", tiles.Grid,
                read.Left, read.Right, offsets, E, N, inputs, outputs, Narrow(dx));
        else
            Launch(
                tiles.Kind == TensorCores.Off ? tiles.AreLarge ? "grouped_backward_input_128" : "grouped_backward_input_64"
                : tiles.Kind == TensorCores.Tf32 ? tiles.AreLarge ? "grouped_backward_input_tf32_128" : "grouped_backward_input_tf32_64"
                : tiles.AreLarge ? "grouped_backward_input_bfloat16_128" : "grouped_backward_input_bfloat16_64",
                tiles.Grid, read.Left, read.Right, offsets, E, N, inputs, outputs, dx);
        Return(read);
    }

    /// <summary>What a gradient of weights in float32 memory is made in: where tensor cores are for bfloat16, TF32 holds such numbers as
    /// they are.</summary>
    private TensorCores KindOfFloat32 => options.TensorCores == TensorCores.Off ? TensorCores.Off : TensorCores.Tf32;

    /// <summary>dw[e] = Σ dy[n]·x[n]ᵀ of memory in float32, or in bfloat16 where the kind says so; x of the rows that
    /// <paramref name="tokens"/> name where they are given.</summary>
    internal void OwnGroupedMatMulBackwardWeight(
        TensorCores kind, nint dy, nint x, Ints tokens, Ints offsets, int E, int N, int inputs, int outputs, Target dw)
    {
        PieceSizes sizes = new(E, N, inputs, outputs, areAligned: ((dy | x) % Alignment | (nint)((inputs | outputs) % UnitOf(kind))) == 0);
        Tiling tiles = new(kind, sizes.Tile, sizes.Blocks);
        long matrix = (long)inputs * outputs;
        DeviceBuffer? scratch = sizes.MostExtra == 0 ? null : Pool.Rent(sizes.MostExtra * matrix * sizeof(float));
        nint parts = scratch?.Address ?? 0;
        Launch(
            kind == TensorCores.Off ? tiles.AreLarge ? "grouped_backward_weight_128" : "grouped_backward_weight_64"
            : kind == TensorCores.Tf32 ? tiles.AreLarge ? "grouped_backward_weight_tf32_128" : "grouped_backward_weight_tf32_64"
            : tiles.AreLarge ? "grouped_backward_weight_bfloat16_128" : "grouped_backward_weight_bfloat16_64",
            tiles.Grid, dy, x, tokens, offsets, E, N, inputs, outputs, sizes.Rows, parts, dw);
        if (scratch is null)
            return;
        const int BlocksOfMatrix = 64;
        Grid adding = Grid.Elements(matrix);
        Launch(
            "grouped_add_pieces", adding with { X = Math.Min(adding.X, BlocksOfMatrix), Y = E },
            parts, offsets, E, N, sizes.Rows, matrix, dw.View);
        Pool.Return(scratch);
    }

    /// <summary>What a product with weights is made in: bfloat16 where both sides are in such memory, else as float32 is.</summary>
    private TensorCores KindOf(in ReadWeights read) =>
        read.OnTensorCores ? TensorCores.Bfloat16 : options.TensorCores == TensorCores.Tf32 ? TensorCores.Tf32 : TensorCores.Off;

    /// <summary>Elements of <see cref="Alignment"/> bytes.</summary>
    private static int UnitOf(TensorCores kind) => Alignment / (kind == TensorCores.Bfloat16 ? sizeof(ushort) : sizeof(float));

    /// <summary>
    /// The tiles of a product of rows: large ones where all rows begin at multiples of 16 bytes and there is enough to do. Either adds up
    /// in the same order: the bits are the same. A block for each tile of columns and of rows: each expert, and what is unassigned, may end
    /// in the middle of one.
    /// </summary>
    private Tiling TilesOfRows(in ReadWeights read, int E, int N, int columns, int inner, bool areAligned)
    {
        TensorCores kind = KindOf(read);
        bool fits = areAligned && inner % UnitOf(kind) == 0 && (read.Left | read.Right) % Alignment == 0;
        long large = (long)Ceiling.Divide(N, LargeTile) * Ceiling.Divide(columns, LargeTile);
        int size = fits && large >= LeastLargeTiles ? LargeTile : SmallTile;
        long owners = Math.Min(E + 1L, N), tiles = (N + owners * (size - 1)) / size;
        return new Tiling(kind, size, tiles * Ceiling.Divide(columns, size));
    }

    /// <summary>Tiles of a product: how they are multiplied, their rows and columns, and how many there may be.</summary>
    private readonly record struct Tiling(TensorCores Kind, int Size, long Count)
    {
        public bool AreLarge => Size == LargeTile;

        /// <summary>A block for each. A thread of float32 has 64 sums; a warp on tensor cores half of the rows of 32 columns.</summary>
        public Grid Grid => new(checked((int)Count), Threads: Kind == TensorCores.Off ? Size * Size / 64 : 2 * Size);
    }

    /// <summary>
    /// How the gradient of weights is cut into pieces of an expert's rows: as many rows as the mean expert has twice, so that a lopsided
    /// router does not leave few blocks with long sums, and fewer where the matrices have too few tiles to fill a card. By the sizes
    /// alone: what a sum is cut into depends on how many rows its expert has, and on nothing else of the routing.
    /// </summary>
    internal readonly struct PieceSizes
    {
        public PieceSizes(int E, int N, int inputs, int outputs, bool areAligned)
        {
            long large = (long)E * Ceiling.Divide(outputs, LargeTile) * Ceiling.Divide(inputs, LargeTile);
            Tile = areAligned && large >= LeastLargeTiles ? LargeTile : SmallTile;
            long tiles = (long)Ceiling.Divide(outputs, Tile) * Ceiling.Divide(inputs, Tile);
            long rows = Math.Max(LeastPieceRows, Math.Min(2L * N / E, N * tiles / PieceBlocks));
            Rows = (int)Math.Min(Ceiling.Multiple(rows, LeastPieceRows), int.MaxValue / 2);
            MostExtra = N / Rows;
            Blocks = (MostExtra + E) * tiles;
        }

        /// <summary>Rows and columns of a tile of the gradient.</summary>
        public int Tile { get; }

        /// <summary>Rows of a piece; the last one of an expert may have fewer.</summary>
        public int Rows { get; }

        /// <summary>The most pieces beyond the first of each expert.</summary>
        public int MostExtra { get; }

        /// <summary>One for each piece and tile.</summary>
        public long Blocks { get; }
    }
}
