namespace TinyMoE.Tests.Cuda.Budget;

/// <summary>What a card can do at best, and what a launch costs on it.</summary>
/// <param name="Name">As the command line says it.</param>
/// <param name="Multiprocessors">Streaming multiprocessors.</param>
/// <param name="Float32">10¹² operations per second in float32.</param>
/// <param name="Tf32">The same on tensor cores in TF32, dense.</param>
/// <param name="Bfloat16">The same in bfloat16.</param>
/// <param name="Copy">10¹² bytes per second, read and written, that a copy reaches.</param>
/// <param name="Source">Where the figures are from.</param>
internal sealed record Card(string Name, int Multiprocessors, double Float32, double Tf32, double Bfloat16, double Copy, string Source)
{
    /// <summary>Microseconds of a kernel of ours beside its bytes: it starts, its first bytes come, its last block ends.</summary>
    public const double Ramp = 3.5;

    /// <summary>Microseconds of a product of cuBLAS beside its operations.</summary>
    public const double ProductRamp = 4;

    /// <summary>Microseconds between two operations of a stream, and between two nodes of a graph.</summary>
    public const double Gap = 1.0, GraphGap = 0.5;

    /// <summary>Microseconds of the host per launch of ours, per product, per product of a call each for experts, per call for all experts
    /// (its addresses are copied first).</summary>
    public const double HostLaunch = 2.8, HostProduct = 5, HostProductOfLoop = 10, HostGrouped = 15;

    /// <summary>Microseconds that the card has nothing to do each time the host waits for it.</summary>
    public const double Bubble = 12;

    /// <summary>The cards that a budget can be made for.</summary>
    public static IReadOnlyList<Card> All { get; } =
    [
        new("h100", 132, 66.9, 495, 989, 3.0, "NVIDIA H100 SXM data sheet, dense; copy as measured by others, 90 % of 3.35"),
        new("h200", 132, 66.9, 495, 989, 4.1, "NVIDIA H200 SXM data sheet, dense; copy as AdamW reaches in docs/cuda.md, of 4.8"),
        new("a100", 108, 19.5, 156, 312, 1.75, "NVIDIA A100 80GB SXM data sheet, dense; copy at 86 % of 2.04"),
    ];

    /// <summary>The card of that name.</summary>
    public static Card Get(string name) => All.FirstOrDefault(card => card.Name == name)
        ?? throw new TinyMoEException($"unknown card '{name}' (known: {string.Join(", ", All.Select(card => card.Name))})");

    /// <summary>10¹² operations per second at best.</summary>
    public double Rate(Arithmetic arithmetic) => arithmetic switch
    {
        Arithmetic.Tf32 => Tf32,
        Arithmetic.Bfloat16 => Bfloat16,
        _ => Float32,
    };
}

/// <summary>What multiplies.</summary>
internal enum Arithmetic
{
    /// <summary>Float32 units.</summary>
    Float32,

    /// <summary>Tensor cores, operands rounded to TF32.</summary>
    Tf32,

    /// <summary>Tensor cores, operands in bfloat16.</summary>
    Bfloat16,
}
