namespace TinyMoE.Backends.Profiling;

/// <summary>What was counted of one kernel at one set of sizes.</summary>
/// <param name="Name">The kernel and its sizes, as "MatMul 2048x256x256 NT".</param>
/// <param name="Calls">How often it was called.</param>
/// <param name="Time">Time in it, all calls together.</param>
/// <param name="Flops">Floating-point operations, all calls together.</param>
/// <param name="Bytes">Bytes that must be moved, all calls together.</param>
/// <param name="ProductFlops">
/// Those of <paramref name="Flops"/> that are multiplications and additions of matrix products and attention, without what follows them.
/// </param>
public sealed record KernelProfile(string Name, long Calls, TimeSpan Time, double Flops, double Bytes, double ProductFlops = 0)
{
    /// <summary>10⁹ floating-point operations per second.</summary>
    public double GigaflopsPerSecond => Flops / Time.TotalSeconds / 1e9;

    /// <summary>10⁹ bytes per second.</summary>
    public double GigabytesPerSecond => Bytes / Time.TotalSeconds / 1e9;
}
