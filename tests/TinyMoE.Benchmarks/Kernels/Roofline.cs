namespace TinyMoE.Benchmarks;

/// <summary>
/// A kernel beside what the machine could do (Williams, Waterman and Patterson 2009): its operations take at least their time at the rate
/// of arithmetic, its bytes theirs at the bandwidth of their footprint, and the longer of the two times is the one that it is judged by.
/// </summary>
/// <param name="Kernel">What was measured.</param>
/// <param name="ArithmeticSeconds">Least seconds of its operations.</param>
/// <param name="MemorySeconds">Least seconds of its bytes.</param>
internal sealed record Roofline(StepKernel Kernel, double ArithmeticSeconds, double MemorySeconds)
{
    /// <summary>Whether arithmetic is what limits it, not memory.</summary>
    public bool IsArithmetic => ArithmeticSeconds >= MemorySeconds;

    /// <summary>The least time beside the time taken: 1 at the roofline.</summary>
    public double Share => Math.Max(ArithmeticSeconds, MemorySeconds) / Kernel.Seconds;

    /// <summary>GFLOP/s, or GB/s, whichever it is judged by.</summary>
    public double Rate => 1e-9 * (IsArithmetic ? Kernel.Flops : Kernel.Bytes) / Kernel.Seconds;

    /// <summary>What the machine gives of it.</summary>
    public double Limit => Rate / Share;

    /// <summary>The kernel on this machine.</summary>
    public static Roofline Of(StepKernel kernel, Machine machine) => new(
        kernel, 1e-9 * kernel.Flops / machine.Arithmetic, 1e-9 * kernel.Bytes / machine.Bytes(kernel.Footprint));
}
