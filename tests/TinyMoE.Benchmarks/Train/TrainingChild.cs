using System.CommandLine;
using TinyMoE.Backends.Cpu;

namespace TinyMoE.Benchmarks;

/// <summary>What a process that trained says of itself, in one line of JSON; a rival says the first five, and its kernels.</summary>
/// <param name="Seconds">Median time of a step.</param>
/// <param name="PeakBytes">Most memory it had resident.</param>
/// <param name="Parameters">Weights of the model: the two must train the same.</param>
/// <param name="Loss">Loss of the last step.</param>
/// <param name="Framework">Name and version of the rival.</param>
/// <param name="AllocatedBytes">Managed bytes allocated per step, on all threads.</param>
/// <param name="PoolMisses">Requests per step for which the memory pool went to the system.</param>
/// <param name="MatmulRate">GFLOP/s of a product of 1024³ in the same process.</param>
/// <param name="Kernels">The vectors of PyTorch's own loops, and the kernel of its OpenBLAS.</param>
internal sealed record TrainingFigures(
    double Seconds, long PeakBytes, long Parameters, double Loss, string? Framework = null, double AllocatedBytes = 0,
    double PoolMisses = 0, double MatmulRate = 0, string? Kernels = null);

/// <summary>The hidden command that trains in a process of its own, so that its peak memory can be compared.</summary>
internal sealed class TrainingChild
{
    public const string Name = "train-here";

    private readonly Option<string> preset = new("--preset") { Required = true };
    private readonly Option<int> steps = Commands.Whole("--steps", 15, 1, "Steps to time.");
    private readonly Option<int> threads = Commands.Threads();

    public static Command Create()
    {
        TrainingChild child = new();
        Command command = new(Name, "Trains one preset and prints its figures.") { child.preset, child.steps, child.threads };
        command.Hidden = true;
        command.SetAction(child.Run);
        return command;
    }

    private void Run(ParseResult parsed)
    {
        using CpuBackend backend = new(parsed.GetValue(threads));
        using TrainingRun run = new(backend, TrainingRun.ConfigOf(parsed.GetValue(preset)!));
        run.WarmUp();
        double[] seconds = new double[parsed.GetValue(steps)];
        (long misses, long allocated) = (backend.Pool.Misses, GC.GetTotalAllocatedBytes(precise: true));
        for (int i = 0; i < seconds.Length; i++)
            seconds[i] = run.Step();
        double allocatedBytes = (double)(GC.GetTotalAllocatedBytes(precise: true) - allocated) / seconds.Length;
        double poolMisses = (double)(backend.Pool.Misses - misses) / seconds.Length;
        TrainingFigures figures = new(
            Measuring.Median(seconds), Measuring.PeakBytes(), run.Model.Parameters.Count, run.Loss, null, allocatedBytes, poolMisses,
            MatmulRate(backend));
        Console.WriteLine(Report.Json(figures));
    }

    private static double MatmulRate(CpuBackend backend)
    {
        const int Size = 1024, Rounds = 15;
        using Operands operands = new(backend);
        Floats a = operands.Random(Size * Size), b = operands.Random(Size * Size), c = operands.Random(Size * Size);
        double seconds = Measuring.Median(Enumerable.Range(0, Rounds)
            .Select(_ => Measuring.SecondsPerCall(() => backend.MatMul(a, false, b, false, 1, Size, Size, Size, c), 3)));
        return 2e-9 * Size * Size * Size / seconds;
    }
}
