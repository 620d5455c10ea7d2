using TinyMoE.Backends.Profiling;

namespace TinyMoE.Benchmarks;

/// <summary>A kernel at one set of sizes in a step, medians over steps.</summary>
/// <param name="Name">The kernel and its sizes.</param>
/// <param name="Calls">Calls per step.</param>
/// <param name="Seconds">Time per step, all its calls together.</param>
/// <param name="Flops">Operations per step.</param>
/// <param name="Bytes">Bytes that must be moved, per step.</param>
internal sealed record StepKernel(string Name, double Calls, double Seconds, double Flops, double Bytes)
{
    /// <summary>Bytes that one call touches.</summary>
    public double Footprint => Bytes / Calls;
}

/// <summary>Takes from a profile, which counts on and on, what each step added to it.</summary>
internal sealed class StepProfiles(ProfilingBackend backend)
{
    private const double LeastSeconds = 1.0 / TimeSpan.TicksPerSecond; // what the profile tells apart: no time is zero

    private readonly Dictionary<string, KernelProfile> before = [];
    private readonly Dictionary<string, List<KernelProfile>> steps = [];
    private readonly List<double> seconds = [];

    /// <summary>Median seconds of a step.</summary>
    public double Seconds => Measuring.Median(seconds);

    /// <summary>All kernels of a step.</summary>
    public StepKernel[] Kernels =>
    [
        .. steps.Select(kernel =>
        {
            double perStep = 1.0 / seconds.Count;
            List<KernelProfile> parts = kernel.Value; // of the steps that called it
            return new StepKernel(
                kernel.Key, parts.Sum(part => part.Calls) * perStep,
                Math.Max(LeastSeconds, Measuring.Median(parts.Select(part => part.Time.TotalSeconds))) * parts.Count * perStep,
                parts.Sum(part => part.Flops) * perStep, parts.Sum(part => part.Bytes) * perStep);
        }),
    ];

    /// <summary>Runs a step, which returns its seconds, and notes what it did.</summary>
    public void Add(Func<double> step)
    {
        backend.Counting = true;
        seconds.Add(step());
        backend.Counting = false;
        foreach (KernelProfile now in backend.Kernels)
        {
            KernelProfile then = before.GetValueOrDefault(now.Name, new KernelProfile(now.Name, 0, TimeSpan.Zero, 0, 0));
            before[now.Name] = now;
            if (now.Calls == then.Calls)
                continue;
            if (!steps.TryGetValue(now.Name, out List<KernelProfile>? parts))
                steps[now.Name] = parts = [];
            parts.Add(new KernelProfile(
                now.Name, now.Calls - then.Calls, now.Time - then.Time, now.Flops - then.Flops, now.Bytes - then.Bytes));
        }
    }
}
