using System.Diagnostics;
using TinyMoE.Backends.Profiling;

namespace TinyMoE.Train;

/// <summary>
/// Where the time of a training step goes: counts kernels inside the steps that follow the warm-up, so neither evaluations nor checkpoints.
/// </summary>
public sealed class TrainingProfiler
{
    /// <summary>Steps that are not counted: code is compiled and memory is taken in them.</summary>
    public const int WarmUpSteps = 5;

    private readonly ProfilingBackend backend;
    private int begun;
    private int counted;
    private long started;
    private TimeSpan time;

    /// <summary>Profiles what trains on <paramref name="backend"/>.</summary>
    public TrainingProfiler(ProfilingBackend backend)
    {
        this.backend = backend;
        backend.Counting = false;
    }

    /// <summary>What was counted, or null when the run was over before the warm-up was.</summary>
    public TrainingProfile? Profile =>
        counted == 0 ? null : new TrainingProfile(counted, time, backend.Kernels, backend.HasDeviceTimes);

    internal void BeginStep()
    {
        begun++;
        backend.Counting = begun > WarmUpSteps;
        started = Stopwatch.GetTimestamp();
    }

    internal void EndStep()
    {
        if (backend.Counting)
        {
            backend.Collect(); // a step is over when the device has done it
            time += Stopwatch.GetElapsedTime(started);
            counted++;
        }

        backend.Counting = false;
    }
}

/// <summary>Where the time of training steps went.</summary>
/// <param name="Steps">How many steps were counted.</param>
/// <param name="Time">The time of these steps together.</param>
/// <param name="Kernels">The kernels, the most time first.</param>
/// <param name="HasDeviceTimes">Whether the times of kernels are the device's own, while the host goes on.</param>
public sealed record TrainingProfile(int Steps, TimeSpan Time, IReadOnlyList<KernelProfile> Kernels, bool HasDeviceTimes = false)
{
    /// <summary>Time in no kernel: the tape, batches, logging; of a device with a clock of its own, what it waited for the host.</summary>
    public TimeSpan OutsideKernels => Time - Kernels.Aggregate(TimeSpan.Zero, (sum, kernel) => sum + kernel.Time);
}
