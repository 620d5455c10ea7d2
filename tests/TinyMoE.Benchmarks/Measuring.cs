using System.Diagnostics;

namespace TinyMoE.Benchmarks;

/// <summary>Times and what is made of them.</summary>
internal static class Measuring
{
    /// <summary>Seconds that an action takes.</summary>
    public static double Seconds(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>Mean seconds of several calls in a row, after one that is not counted.</summary>
    public static double SecondsPerCall(Action action, int calls)
    {
        action();
        return Seconds(() =>
        {
            for (int i = 0; i < calls; i++)
                action();
        }) / calls;
    }

    /// <summary>The middle value; of an even number, the mean of the two in the middle.</summary>
    public static double Median(IEnumerable<double> values)
    {
        double[] sorted = [.. values.Order()];
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }

    /// <summary>The number whose logarithm is the mean of the logarithms: the mean of ratios.</summary>
    public static double GeometricMean(IEnumerable<double> values) => Math.Exp(values.Average(Math.Log));

    /// <summary>Most memory that this process ever had resident, in bytes.</summary>
    public static long PeakBytes()
    {
        using Process process = Process.GetCurrentProcess();
        return process.PeakWorkingSet64;
    }
}
