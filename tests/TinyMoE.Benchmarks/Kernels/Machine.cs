using TinyMoE.Backends.Cpu;

namespace TinyMoE.Benchmarks;

/// <summary>
/// What so many threads of this machine can do: arithmetic by the micro-kernel of products with its operands in the first-level cache,
/// bytes by reading and copying. Bytes are measured when asked for, and again later, of which the better counts, as a neighbour only
/// takes. Arithmetic, which most of a step waits for, is measured between the steps, and is the median as their times are.
/// </summary>
internal sealed class Machine(int threads)
{
    private const int SmallestExponent = 14, LargestExponent = 29; // of footprints: from 16 KiB, which a call alone takes, to 512 MiB

    private readonly SortedDictionary<int, MemoryRate> rates = []; // by the exponent of the footprint
    private readonly List<double> arithmetic = [];

    /// <summary>GFLOP/s of all threads, the median.</summary>
    public double Arithmetic => Measuring.Median(arithmetic);

    /// <summary>GFLOP/s of all threads at the best.</summary>
    public double BestArithmetic => arithmetic.Max();

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

    /// <summary>Measures arithmetic once more, on all threads at once: cores give less together than one of them alone.</summary>
    public void MeasureArithmetic()
    {
        double[] rates = new double[threads];
        Thread[] others = [.. Enumerable.Range(1, threads - 1).Select(i => new Thread(() => Measure(i)))];
        foreach (Thread other in others)
            other.Start();
        Measure(0);
        foreach (Thread other in others)
            other.Join();
        arithmetic.Add(rates.Sum());

        void Measure(int i) => rates[i] = MatmulTimer.MicroKernelRate(MicroKernel.Best);
    }

    /// <summary>Measures bytes again.</summary>
    public void RepeatBytes()
    {
        foreach ((int exponent, MemoryRate rate) in rates.ToArray())
        {
            MemoryRate again = Bandwidth.Of(1L << exponent, threads);
            rates[exponent] = new MemoryRate(Math.Max(rate.Read, again.Read), Math.Max(rate.Copy, again.Copy));
        }
    }
}
