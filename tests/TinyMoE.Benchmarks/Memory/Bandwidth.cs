using System.Diagnostics;
using System.Runtime.InteropServices;
using TinyMoE.Backends.Cpu;

namespace TinyMoE.Benchmarks;

/// <summary>GB/s of a footprint: read once, or one half of it copied to the other.</summary>
internal readonly record struct MemoryRate(double Read, double Copy)
{
    /// <summary>The faster of the two.</summary>
    public double Best => Math.Max(Read, Copy);
}

/// <summary>
/// How fast this processor's cores reach memory, each on its own part of a buffer, by vectors of <see cref="Simd.Bits"/>. The buffer's
/// size says which cache has it; a footprint far larger than the last-level cache is memory itself.
/// </summary>
internal static unsafe class Bandwidth
{
    private const long Memory = 1L << 30;
    private const int Rounds = 7, Page = 4096;
    private const long LeastBytesPerRound = 1L << 25; // of small footprints many passes, so that a round is not too short to be timed

    /// <summary>GB/s at which memory is read, far from any cache, the best of several rounds.</summary>
    public static double OfMemory(int threads) => Measure(Memory, threads, copies: false);

    /// <summary>GB/s of a footprint of about so many bytes, all threads together.</summary>
    public static MemoryRate Of(long footprint, int threads) =>
        new(Measure(footprint, threads, copies: false), Measure(footprint, threads, copies: true));

    private static double Measure(long footprint, int threads, bool copies)
    {
        // Parts of whole pages, of two where one is copied to the other.
        long part = Math.Max(1, footprint / threads / (2 * Page)) * 2 * Page, floats = part / sizeof(float);
        long passes = Math.Max(1, LeastBytesPerRound / (part * threads));
        float* buffer = (float*)NativeMemory.AlignedAlloc((nuint)(part * threads), Page);
        try
        {
            new Span<float>(buffer, (int)(floats * threads)).Fill(1f);
            nint address = (nint)buffer;
            double seconds = Enumerable.Range(0, Rounds).Min(_ => Together(threads, t =>
            {
                float* mine = (float*)address + t * floats;
                for (long pass = 0; pass < passes; pass++)
                {
                    if (copies)
                        Simd.Run(new CopyPass(mine, mine + floats / 2, floats / 2), Simd.Bits);
                    else
                        Read(mine, floats);
                }
            }));
            return 1e-9 * part * threads * passes / seconds;
        }
        finally
        {
            NativeMemory.AlignedFree(buffer);
        }
    }

    private static void Read(float* x, long length)
    {
        float sum = 0;
        Simd.Run(new ReadPass(x, length, &sum), Simd.Bits);
        if (sum <= 0)
            throw new InvalidOperationException("A sum over ones is not positive.");
    }

    /// <summary>Seconds from when the first of some threads begins to when the last has ended; they begin together.</summary>
    private static double Together(int threads, Action<int> work)
    {
        long[] starts = new long[threads], ends = new long[threads];
        using Barrier barrier = new(threads);
        void Run(int t)
        {
            barrier.SignalAndWait();
            starts[t] = Stopwatch.GetTimestamp();
            work(t);
            ends[t] = Stopwatch.GetTimestamp();
        }
        Thread[] others = [.. Enumerable.Range(1, threads - 1).Select(t => new Thread(() => Run(t)))];
        foreach (Thread thread in others)
            thread.Start();
        Run(0);
        foreach (Thread thread in others)
            thread.Join();
        return Stopwatch.GetElapsedTime(starts.Min(), ends.Max()).TotalSeconds;
    }
}
