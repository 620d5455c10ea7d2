using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Products of experts by kernels of our own, native/kernels/grouped_products.cu: they read the offsets where they are made, on the device.
// The host tells them sizes only, so it waits for nobody's rows; the grid has room for any routing.
public sealed unsafe partial class CudaBackend
{
    private const int SmallTile = 64, LargeTile = 128;
    private const int LeastLargeTiles = 264; // two for each multiprocessor of an H100
    private const int LeastPieceRows = 256, PieceBlocks = 512;

    /// <summary>Whether products of experts are these: then nobody needs offsets on the host.</summary>
    private bool OwnGrouped => options.Grouped == GroupedProducts.Own;

    private void OwnGroupedMatMul(
        Floats x, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target y, in Epilogue epilogue)
    {
        ReadWeights read = ReadOf(x, N * inputs, w, (long)E * inputs * outputs, mayPack: false);
        int size = TileOfRows(N, outputs, inputs, read.Left | read.Right, inputs);
        Launch(
            size == LargeTile ? "grouped_forward_128" : "grouped_forward_64", GridOfRows(E, N, outputs, size),
            read.Left, default(Ints), read.Right, offsets, E, N, inputs, outputs, y, epilogue.Bias, (int)epilogue.Activation,
            epilogue.Gate.Float32, epilogue.Activated.Float32, epilogue.Precision == ElementType.Bfloat16);
        Return(read);
    }

    private void OwnGroupedMatMulBackwardInput(Floats dy, Weights w, Ints offsets, int E, int N, int inputs, int outputs, Target dx)
    {
        ReadWeights read = ReadOf(dy, N * outputs, w, (long)E * inputs * outputs, mayPack: false);
        int size = TileOfRows(N, inputs, outputs, read.Left | read.Right, inputs | outputs);
        Launch(
            size == LargeTile ? "grouped_backward_input_128" : "grouped_backward_input_64", GridOfRows(E, N, inputs, size),
            read.Left, read.Right, offsets, E, N, inputs, outputs, dx);
        Return(read);
    }

    private void OwnGroupedMatMulBackwardWeight(Floats dy, Floats x, Ints offsets, int E, int N, int inputs, int outputs, Target dw)
    {
        PieceSizes sizes = new(E, N, inputs, outputs, areAligned: ((dy.Address | x.Address) % 16 | (inputs | outputs) % 4) == 0);
        long matrix = (long)inputs * outputs;
        DeviceBuffer? scratch = sizes.MostExtra == 0 ? null : Pool.Rent(sizes.MostExtra * matrix * sizeof(float));
        nint parts = scratch?.Address ?? 0;
        Launch(
            sizes.Tile == LargeTile ? "grouped_backward_weight_128" : "grouped_backward_weight_64", sizes.Grid,
            dy, x, default(Ints), offsets, E, N, inputs, outputs, sizes.Rows, parts, dw);
        if (scratch is null)
            return;
        const int BlocksOfMatrix = 64;
        Grid adding = Grid.Elements(matrix);
        Launch(
            "grouped_add_pieces", adding with { X = Math.Min(adding.X, BlocksOfMatrix), Y = E },
            parts, offsets, E, N, sizes.Rows, matrix, dw.View);
        Pool.Return(scratch);
    }

    /// <summary>The tile of a product of rows: the large one where all rows begin at multiples of 16
    /// bytes and there is enough to do. Either adds up in the same order: the bits are the same.</summary>
    private static int TileOfRows(int N, int columns, int inner, nint addresses, int rowLengths)
    {
        bool fits = (addresses % 16 | (nint)(rowLengths % 4) | (nint)(inner % 4)) == 0;
        return fits && (long)Ceiling.Divide(N, LargeTile) * Ceiling.Divide(columns, LargeTile) >= LeastLargeTiles ? LargeTile : SmallTile;
    }

    /// <summary>A block for each tile of columns and of rows: each expert, and what is unassigned, may end in the middle of one.</summary>
    private static Grid GridOfRows(int E, int N, int columns, int size)
    {
        long owners = Math.Min(E + 1L, N), tiles = (N + owners * (size - 1)) / size;
        return new Grid(checked((int)(tiles * Ceiling.Divide(columns, size))), Threads: size * size / 64);
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
            Grid = new Grid(checked((int)((MostExtra + E) * tiles)), Threads: Tile * Tile / 64);
        }

        /// <summary>Rows and columns of a tile of the gradient.</summary>
        public int Tile { get; }

        /// <summary>Rows of a piece; the last one of an expert may have fewer.</summary>
        public int Rows { get; }

        /// <summary>The most pieces beyond the first of each expert.</summary>
        public int MostExtra { get; }

        /// <summary>A block for each piece and tile.</summary>
        public Grid Grid { get; }
    }
}
