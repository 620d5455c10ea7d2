using TinyMoE.Backends.Cpu;

namespace TinyMoE.Benchmarks;

/// <summary>
/// What so many threads of this machine can do, measured when asked for: arithmetic by the micro-kernel of products with its operands in
/// the first-level cache, bytes by reading and copying. Measured again later it keeps the better, as a neighbour only takes.
/// </summary>
internal sealed class Machine(int threads)
{
    private const int SmallestExponent = 14, LargestExponent = 29; // of footprints: from 16 KiB, which a call alone takes, to 512 MiB

    private readonly SortedDictionary<int, MemoryRate> rates = []; // by the exponent of the footprint

    /// <summary>GFLOP/s of all threads.</summary>
    public double Arithmetic { get; private set; } = ArithmeticNow(threads);

    /// <summary>Footprints in bytes, and their GB/s.</summary>
    public IEnumerable<(long Bytes, MemoryRate Rate)> Memory => rates.Select(rate => (1L << rate.Key, rate.Value));

    /// <summary>The best GB/s of a footprint, at the nearest power of two.</summary>
    public double Bytes(double footprint)
    {
        int exponent = ExponentOf(footprint);
        if (!rates.ContainsKey(exponent))
            rates[exponent] = Bandwidth.Of(1L << exponent, threads);
        return rates[exponent].Best;
    }

    /// <summary>The power of two that stands for a footprint.</summary>
    public static int ExponentOf(double footprint) =>
        Math.Clamp((int)Math.Round(Math.Log2(Math.Max(1, footprint))), SmallestExponent, LargestExponent);

    /// <summary>Measures all of it again.</summary>
    public void Repeat()
    {
        Arithmetic = Math.Max(Arithmetic, ArithmeticNow(threads));
        foreach ((int exponent, MemoryRate rate) in rates.ToArray())
        {
            MemoryRate again = Bandwidth.Of(1L << exponent, threads);
            rates[exponent] = new MemoryRate(Math.Max(rate.Read, again.Read), Math.Max(rate.Copy, again.Copy));
        }
    }

    private static double ArithmeticNow(int threads) => threads * MatmulTimer.MicroKernelRate(MicroKernel.Best);
}
