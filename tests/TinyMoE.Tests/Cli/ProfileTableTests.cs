using TinyMoE.Backends.Profiling;
using TinyMoE.Cli.Output;
using TinyMoE.Train;

namespace TinyMoE.Tests.Cli;

/// <summary>The table of <c>train --profile</c>, of times that are given.</summary>
public sealed class ProfileTableTests
{
    [Fact]
    public void Table_HasARowPerLargeKernel_AndOneForTheRest()
    {
        string[] rows = Rows(new TrainingProfile(
            Steps: 4,
            Time: TimeSpan.FromMilliseconds(1000),
            [Kernel("GroupedMatMul 128x32x32", 24, 600), Kernel("Add 4096", 8, 10), Kernel("Rope 64", 4, 9), Kernel("Scale 32", 12, 5)]));

        Assert.StartsWith("profile of 4 steps", rows[0], StringComparison.Ordinal);
        Assert.Equal("kernel calls per step ms per step share GFLOP/s GB/s", rows[1]);
        Assert.Equal("GroupedMatMul 128x32x32 6 150.00 60.0 % 2.0 0.5", rows[2]);
        Assert.Equal("Add 4096 2 2.50 1.0 % 2.0 0.5", rows[3]);
        Assert.Equal("2 other kernels 4 3.50 1.4 % 2.0 0.5", rows[4]);
        Assert.Equal("all kernels 12 156.00 62.4 % 2.0 0.5", rows[5]);
        Assert.Equal("outside kernels: tape, batches, logging 94.00 37.6 %", rows[6]);
        Assert.Equal("step 250.00 100.0 %", rows[7]);
        Assert.Equal(8, rows.Length);
    }

    [Fact]
    public void Table_OfNoProfile_SaysHowManyStepsItNeeds() =>
        Assert.Equal(["no profile: the first 5 steps warm up and are not measured; train at least 6"], Rows(null));

    /// <summary>A kernel of 2 GFLOP and 0.5 GB per second.</summary>
    private static KernelProfile Kernel(string name, long calls, int milliseconds) =>
        new(name, calls, TimeSpan.FromMilliseconds(milliseconds), Flops: milliseconds * 2e6, Bytes: milliseconds * 0.5e6);

    /// <summary>What is written, line by line, with one blank between words.</summary>
    private static string[] Rows(TrainingProfile? profile)
    {
        using StringWriter output = new();
        ProfileTable.Write(Consoles.For(output), profile);
        IEnumerable<string[]> rows = output.ToString().ReplaceLineEndings("\n").Split('\n')
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        return [.. rows.Where(words => words.Length > 0).Select(words => string.Join(' ', words))];
    }
}
