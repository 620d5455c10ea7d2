using System.CommandLine;
using TinyMoE.Backends.Cpu;
using TinyMoE.Backends.Profiling;
using TinyMoE.Configuration;

namespace TinyMoE.Benchmarks;

/// <summary>
/// <c>kernels</c>: every kernel of a training step beside its roofline, the worst first. What a kernel does is counted by the profiler, as
/// for <c>tinymoe train --profile</c>; what the machine can do is measured in the same run, between the steps and after them.
/// </summary>
internal sealed class KernelsCommand
{
    private const double LeastShareOfStep = 0.02, LeastShareOfRoofline = 0.6; // what a kernel over the one must reach of the other
    private const double SmallShareOfStep = 0.001; // below it kernels stand by themselves: their time is that of a call
    private const int NameWidth = 46;

    private readonly Option<string[]> presets = Commands.SomeOf(
        "--preset", "NAME ...", "Models whose step is taken apart", [.. Presets.All.Select(preset => preset.Name)], "bench");
    private readonly Option<int> steps = Commands.Whole("--steps", 20, 1, "Steps to count, after two seconds of others.");
    private readonly Option<int> threads = Commands.Threads();
    private readonly Option<int?> bits = VectorWidth.Option();
    private readonly Option<bool> json = Commands.Json();

    public static Command Create()
    {
        KernelsCommand kernels = new();
        Command command = new(
            "kernels", "Every kernel of a training step beside its roofline: what arithmetic, or memory, of this machine could do.")
        {
            kernels.presets, kernels.steps, kernels.threads, kernels.bits, kernels.json,
        };
        command.SetAction(kernels.Run);
        return command;
    }

    private void Run(ParseResult parsed)
    {
        Report report = new(parsed.GetValue(json));
        report.Head(OpenBlas.Load());
        foreach (string preset in parsed.GetValue(presets)!.Distinct())
            Measure(report, preset, parsed.GetValue(steps), parsed.GetValue(threads));
    }

    private static void Measure(Report report, string preset, int steps, int threads)
    {
        using ProfilingBackend backend = new(new CpuBackend(threads)) { Counting = false };
        using TrainingRun run = new(backend, TrainingRun.ConfigOf(preset));
        run.WarmUp();
        Machine machine = new(threads);
        StepProfiles profiles = new(backend);
        for (int i = 0; i < steps; i++)
        {
            profiles.Add(run.Step);
            machine.MeasureArithmetic();
        }

        StepKernel[] kernels = profiles.Kernels;
        foreach (StepKernel kernel in kernels)
            _ = machine.Bytes(kernel.Footprint);
        machine.RepeatBytes();
        Roofline[] all = [.. kernels.Select(kernel => Roofline.Of(kernel, machine)).OrderBy(roofline => roofline.Share)];
        Print(report, machine, threads);
        Print(report, all, preset, steps, profiles.Seconds, threads);
    }

    private static void Print(Report report, Machine machine, int threads)
    {
        string memory = string.Join(", ", machine.Memory.Select(size => $"{Name(size.Bytes)} {size.Rate.Read:F0} / {size.Rate.Copy:F0}"));
        string named = $"{threads} thread{(threads == 1 ? "" : "s")}";
        report.Row(
            $"the machine, {named}: micro-kernel {MicroKernel.Best.Rows}x{MicroKernel.Best.Columns} {machine.Arithmetic:F1} GFLOP/s "
                + $"between the steps, {machine.BestArithmetic:F1} at its best; "
                + $"GB/s read / copied of a footprint: {memory}",
            new
            {
                Kind = "kernels_machine", Threads = threads, machine.Arithmetic, machine.BestArithmetic,
                Memory = machine.Memory.Select(size => new { size.Bytes, size.Rate.Read, size.Rate.Copy }),
            });
    }

    private static void Print(Report report, Roofline[] all, string preset, int steps, double seconds, int threads)
    {
        report.Note(
            $"{preset}: a step of {1e3 * seconds:F1} ms, the median of {steps}; kernels by the share of their roofline, the worst first");
        report.Note(
            $"{"kernel",-NameWidth} {"calls",6} {"ms",8} {"share",7} {"rate",8} {"limit",8} {"unit",-7} {"of limit",8}");
        foreach (IGrouping<bool, Roofline> part in all.GroupBy(r => r.Kernel.Seconds < SmallShareOfStep * seconds).OrderBy(g => g.Key))
        {
            if (part.Key)
                report.Note($"under {SmallShareOfStep:P1} of the step each:");
            foreach (Roofline r in part)
                report.Row(Line(r, seconds), Json(r, preset, seconds, threads));
        }

        double inside = all.Sum(r => r.Kernel.Seconds);
        report.Row(
            $"{"all kernels",-NameWidth} {all.Sum(r => r.Kernel.Calls),6:0.#} {1e3 * inside,8:F3} {inside / seconds,7:P1}; at their limits "
                + $"{1e3 * all.Sum(r => r.Share * r.Kernel.Seconds):F1} ms",
            new
            {
                Kind = "kernels_step", Preset = preset, Threads = threads, Steps = steps, Seconds = seconds, KernelSeconds = inside,
                LimitSeconds = all.Sum(r => r.Share * r.Kernel.Seconds),
            });
        Roofline[] under = [.. all.Where(r => r.Kernel.Seconds > LeastShareOfStep * seconds && r.Share < LeastShareOfRoofline)];
        report.Row(
            $"over {LeastShareOfStep:P0} of the step and under {LeastShareOfRoofline:P0} of the limit: "
                + (under.Length == 0 ? "none" : string.Join(", ", under.Select(r => $"{r.Kernel.Name} ({r.Share:P0})"))),
            new { Kind = "kernels_under", Preset = preset, Threads = threads, Kernels = under.Select(r => r.Kernel.Name) });
    }

    private static string Line(Roofline r, double seconds)
    {
        string unit = r.IsArithmetic ? "GFLOP/s" : "GB/s";
        string where = r.IsArithmetic ? "" : $" of {Name(1L << Machine.ExponentOf(r.Kernel.Footprint))}";
        return $"{r.Kernel.Name,-NameWidth} {r.Kernel.Calls,6:0.#} {1e3 * r.Kernel.Seconds,8:F3} {r.Kernel.Seconds / seconds,7:P1} "
            + $"{r.Rate,8:F1} {r.Limit,8:F1} {unit,-7} {r.Share,8:P0}{where}";
    }

    private static object Json(Roofline r, string preset, double seconds, int threads) => new
    {
        Kind = "kernel", Preset = preset, Threads = threads, r.Kernel.Name, r.Kernel.Calls, r.Kernel.Seconds,
        StepShare = r.Kernel.Seconds / seconds, r.Kernel.Flops, r.Kernel.Bytes, Limit = r.IsArithmetic ? "arithmetic" : "memory",
        r.ArithmeticSeconds, r.MemorySeconds, RooflineShare = r.Share,
    };

    /// <summary>"64 KiB", "32 MiB".</summary>
    private static string Name(long bytes) => bytes < 1 << 20 ? $"{bytes >> 10} KiB" : $"{bytes >> 20} MiB";
}
