namespace TinyMoE.Tests.Cuda.Budget;

/// <summary>
/// What a kind of product attains of a card's best: Most·inner/(inner + Start) in each tile of Tile·Tile results, and as far as the tiles
/// fill the multiprocessors. Start stands for what a tile does before and after its sum, as so many more terms.
/// </summary>
/// <param name="Most">Of a long sum.</param>
/// <param name="Start">Terms of the sum that a tile's beginning and end are worth.</param>
/// <param name="Tile">Rows and columns of a tile.</param>
/// <param name="Source">Where the figures are from.</param>
internal sealed record Efficiency(double Most, double Start, int Tile, string Source)
{
    private const string Measured = "measured on an H200, docs/cuda.md";

    /// <summary>Whether long sums of few tiles are cut into pieces, as cuBLAS does.</summary>
    public bool CutsSums { get; init; }

    /// <summary>Single products of cuBLAS. Small ones take small tiles, and long sums are cut where tiles are few.</summary>
    public static Efficiency Dense(Arithmetic arithmetic) => arithmetic switch
    {
        Arithmetic.Tf32 => new(0.62, 200, 64, Measured) { CutsSums = true },
        Arithmetic.Bfloat16 => new(0.78, 300, 64, "798 TFLOP/s measured by others on large ones; the start by proportion")
        {
            CutsSums = true,
        },
        _ => new(0.75, 48, 64, Measured) { CutsSums = true },
    };

    /// <summary>One call of cuBLAS for all experts, whose kernel has one tile and cuts no sum.</summary>
    public static Efficiency Together(Arithmetic arithmetic) => arithmetic switch
    {
        Arithmetic.Tf32 => new(0.40, 350, 128, Measured),
        Arithmetic.Bfloat16 => new(0.15, 350, 128, "85 to 98 TFLOP/s, tgale96/grouped_gemm issue 37"),
        _ => new(0.75, 256, 128, Measured),
    };

    /// <summary>Our own kernel for all experts, by mma.sync: nobody has measured it.</summary>
    public static Efficiency Own(Arithmetic arithmetic) => arithmetic switch
    {
        Arithmetic.Tf32 => new(0.30, 200, 128, "guessed: of 0.62 that mma.sync reaches on this card, half"),
        Arithmetic.Bfloat16 => new(0.30, 200, 128, "guessed: of 0.62 that mma.sync reaches on this card, half"),
        _ => new(0.50, 128, 128, "guessed"),
    };

    /// <summary>Attention forward, of the operations of pairs that see each other.</summary>
    public static Efficiency Attention(Arithmetic arithmetic) => arithmetic switch
    {
        Arithmetic.Tf32 => new(0.20, 0, 64, "guessed: FlashAttention-2 reaches 0.35 in bfloat16 (arXiv 2407.08608)"),
        Arithmetic.Bfloat16 => new(0.20, 0, 64, "guessed: FlashAttention-2 reaches 0.35 (arXiv 2407.08608)"),
        _ => new(0.32, 0, 64, Measured),
    };

    /// <summary>Microseconds of <paramref name="count"/> products side by side, each of so many rows and columns.</summary>
    public double Microseconds(Card card, Arithmetic arithmetic, double count, double rows, double columns, double inner)
    {
        if (count * rows * columns * inner == 0)
            return 0;
        double tiles = count * Math.Ceiling(rows / Tile) * Math.Ceiling(columns / Tile), pieces = 1;
        if (CutsSums)
            pieces = Math.Clamp(Math.Floor(card.Multiprocessors / tiles), 1, Math.Max(1, Math.Floor(inner / 256)));
        double inPiece = inner / pieces, perTile = 2.0 * Tile * Tile * inPiece;
        double rate = card.Rate(arithmetic) * 1e6 / card.Multiprocessors * Most * inPiece / (inPiece + Start); // per microsecond
        return Math.Max(1, tiles * pieces / card.Multiprocessors) * perTile / rate;
    }
}
