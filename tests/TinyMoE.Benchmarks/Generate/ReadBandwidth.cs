using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace TinyMoE.Benchmarks;

/// <summary>
/// How fast the processor reads memory: a sum over a buffer far larger than the last-level cache, by vector loads,
/// each thread on its own part.
/// </summary>
internal static unsafe class ReadBandwidth
{
    private const long Bytes = 1L << 30;
    private const int Rounds = 7;

    /// <summary>GB/s, the best of several rounds, with each of these numbers of threads.</summary>
    public static double[] Measure(params int[] threads)
    {
        float* buffer = (float*)NativeMemory.AlignedAlloc((nuint)Bytes, 4096);
        try
        {
            new Span<float>(buffer, (int)(Bytes / sizeof(float))).Fill(1f);
            nint address = (nint)buffer;
            return [.. threads.Select(count => Best(address, count))];
        }
        finally
        {
            NativeMemory.AlignedFree(buffer);
        }
    }

    private static double Best(nint buffer, int threads)
    {
        long part = Bytes / threads / 4096 * 4096;
        long[] starts = new long[threads], ends = new long[threads];
        double best = 0;
        using Barrier barrier = new(threads);
        for (int round = 0; round < Rounds; round++)
        {
            float[] sums = new float[threads];
            void Read(int t)
            {
                barrier.SignalAndWait();
                starts[t] = Stopwatch.GetTimestamp();
                sums[t] = Sum((float*)(buffer + (nint)(t * part)), part / sizeof(float));
                ends[t] = Stopwatch.GetTimestamp();
            }
            Thread[] others = [.. Enumerable.Range(1, threads - 1).Select(t => new Thread(() => Read(t)))];
            foreach (Thread thread in others)
                thread.Start();
            Read(0);
            foreach (Thread thread in others)
                thread.Join();
            if (!Array.TrueForAll(sums, sum => sum > 0))
                throw new InvalidOperationException("A sum over ones is not positive.");
            best = Math.Max(best, 1e-9 * threads * part / Stopwatch.GetElapsedTime(starts.Min(), ends.Max()).TotalSeconds);
        }
        return best;
    }

    /// <summary>Eight sums side by side, so that no load waits for an addition. The length is a multiple of 1024.</summary>
    private static float Sum(float* x, long length)
    {
        Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default, s4 = default, s5 = default, s6 = default, s7 = default;
        for (float* end = x + length; x < end; x += 128)
        {
            s0 += Vector512.Load(x);
            s1 += Vector512.Load(x + 16);
            s2 += Vector512.Load(x + 32);
            s3 += Vector512.Load(x + 48);
            s4 += Vector512.Load(x + 64);
            s5 += Vector512.Load(x + 80);
            s6 += Vector512.Load(x + 96);
            s7 += Vector512.Load(x + 112);
        }
        return Vector512.Sum(s0 + s1 + (s2 + s3) + (s4 + s5) + (s6 + s7));
    }
}
