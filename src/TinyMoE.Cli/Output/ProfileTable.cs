using System.Globalization;
using Spectre.Console;
using TinyMoE.Backends.Profiling;
using TinyMoE.Train;

namespace TinyMoE.Cli.Output;

/// <summary>Shows where the time of a training step went: one row per kernel and shape, the most time first.</summary>
internal static class ProfileTable
{
    /// <summary>Kernels with a smaller share of the step are one row together.</summary>
    private const double SmallestShare = 0.01;

    /// <summary>On a narrower terminal the names of kernels need the room.</summary>
    private const int WidthOfLongHeadings = 100;

    /// <summary>Writes the table, or why there is none.</summary>
    public static void Write(IAnsiConsole console, TrainingProfile? profile)
    {
        console.WriteLine();
        if (profile is null)
        {
            const int Least = TrainingProfiler.WarmUpSteps + 1;
            console.WriteLine(
                $"no profile: the first {TrainingProfiler.WarmUpSteps} steps warm up and are not measured; train at least {Least}");
            return;
        }

        Table table = new Table().Border(TableBorder.None).AddColumn("kernel");
        bool isNarrow = console.Profile.Width < WidthOfLongHeadings;
        string[] perStep = isNarrow ? ["calls", "ms"] : ["calls per step", "ms per step"];
        foreach (string heading in (string[])[.. perStep, "share", "GFLOP/s", "GB/s"])
            table.AddColumn(new TableColumn(heading).RightAligned());
        KernelProfile[] small = [.. profile.Kernels.Where(kernel => kernel.Time < SmallestShare * profile.Time)];
        foreach (KernelProfile kernel in profile.Kernels.SkipLast(small.Length))
            AddRow(table, profile, kernel);
        if (small.Length > 0)
            AddRow(table, profile, Sum($"{small.Length} other kernels", small));
        AddRow(table, profile, Sum("all kernels", profile.Kernels));
        TimeSpan outside = profile.OutsideKernels;
        string others = profile.HasDeviceTimes ? "the device waits for the host" : "outside kernels: tape, batches, logging";
        table.AddRow(others, "", Milliseconds(profile, outside), Share(profile, outside));
        table.AddRow("step", "", Milliseconds(profile, profile.Time), Share(profile, profile.Time));
        console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"profile of {profile.Steps} steps{(isNarrow ? ", per step" : "")}{(profile.HasDeviceTimes ? ", by the device's clock" : "")} "
            + $"(rows x columns x inner size of a product; GB/s of what an algorithm must move)"));
        console.Write(table);
    }

    private static KernelProfile Sum(string name, IReadOnlyCollection<KernelProfile> kernels) => new(
        name,
        kernels.Sum(k => k.Calls),
        TimeSpan.FromTicks(kernels.Sum(k => k.Time.Ticks)),
        kernels.Sum(k => k.Flops),
        kernels.Sum(k => k.Bytes));

    private static void AddRow(Table table, TrainingProfile profile, KernelProfile kernel) => table.AddRow(
        kernel.Name,
        ((double)kernel.Calls / profile.Steps).ToString("0.#", CultureInfo.InvariantCulture),
        Milliseconds(profile, kernel.Time),
        Share(profile, kernel.Time),
        kernel.GigaflopsPerSecond.ToString("F1", CultureInfo.InvariantCulture),
        kernel.GigabytesPerSecond.ToString("F1", CultureInfo.InvariantCulture));

    private static string Milliseconds(TrainingProfile profile, TimeSpan time) =>
        (time.TotalMilliseconds / profile.Steps).ToString("F2", CultureInfo.InvariantCulture);

    private static string Share(TrainingProfile profile, TimeSpan time) =>
        (time / profile.Time).ToString("P1", CultureInfo.InvariantCulture);
}
