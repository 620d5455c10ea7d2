using System.Globalization;
using TinyMoE.App;
using TinyMoE.Train;

namespace TinyMoE.Cli.Output;

/// <summary>Writes numbers, reports and paths as people read them.</summary>
internal static class Words
{
    /// <summary>"loss 1.5234, perplexity 4.59, 2.198 bits per byte".</summary>
    public static string Of(EvalReport report) =>
        string.Create(
            CultureInfo.InvariantCulture,
            $"loss {report.Loss:F4}, perplexity {report.Perplexity:F2}, {report.BitsPerByte:F3} bits per byte");

    /// <summary>"all 475 windows of test.txt", "the first 10 of 47 windows held out of its own text".</summary>
    public static string Of(MeasuredText measured)
    {
        (int count, int all) = (measured.Windows, measured.Of);
        string many = all == 1 ? "the one window" : count < all ? $"the first {count} of {all} windows"
            : measured.HeldOut ? $"the {all} windows" : $"all {all} windows";
        return measured.HeldOut ? $"{many} held out of its own text" : $"{many} of {string.Join(", ", measured.Sources)}";
    }

    /// <summary>"best validation loss 1.0966, 1.582 bits per byte, at step 1200".</summary>
    public static string Best(double loss, double? bitsPerByte, int step)
    {
        string bits = bitsPerByte is { } known ? string.Create(CultureInfo.InvariantCulture, $"{known:F3} bits per byte, ") : "";
        return string.Create(CultureInfo.InvariantCulture, $"best validation loss {loss:F4}, {bits}at step {step}");
    }

    /// <summary>A step in one line: "step  120/600  loss 2.3145  rate 1.80e-3  12.3k tokens/s  1:05 left".</summary>
    public static string Of(StepReport report, int steps, TimeSpan left)
    {
        int width = steps.ToString(CultureInfo.InvariantCulture).Length;
        string step = report.Step.ToString(CultureInfo.InvariantCulture).PadLeft(width);
        string rate = report.LearningRate.ToString("0.00e-0", CultureInfo.InvariantCulture), speed = Count(report.TokensPerSecond);
        return string.Create(
            CultureInfo.InvariantCulture, $"step {step}/{steps}  loss {report.Loss:F4}  rate {rate}  {speed} tokens/s  {Of(left)} left");
    }

    /// <summary>A time as a clock shows it: "0:42", "12:05", "3:00:00".</summary>
    public static string Of(TimeSpan time)
    {
        string format = time.TotalHours < 1 ? @"m\:ss" : time.TotalDays < 1 ? @"h\:mm\:ss" : @"d\ \d\a\y\s\ h\:mm";
        return time.ToString(format, CultureInfo.InvariantCulture);
    }

    /// <summary>"note: moe.router=switch gives a token 1 of 8 experts, whatever moe.active says".</summary>
    public static string Note(string text) => $"note: {OneLine(text)}";

    /// <summary>A number in few digits: "950", "12.3k", "1.24M".</summary>
    public static string Count(double value) => value switch
    {
        >= 1e6 => string.Create(CultureInfo.InvariantCulture, $"{value / 1e6:F2}M"),
        >= 1e4 => string.Create(CultureInfo.InvariantCulture, $"{value / 1e3:F1}k"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{value:F0}"),
    };

    /// <summary>Bytes in mebibytes: "425.2 MiB".</summary>
    public static string Mebibytes(long bytes) => string.Create(CultureInfo.InvariantCulture, $"{bytes / (1024.0 * 1024.0):F1} MiB");

    /// <summary>"memory: 563.1 MiB at most, 443.1 MiB of it for the model; 425.2 MiB predicted".</summary>
    public static string Of(MemoryReport memory) =>
        $"memory: {Mebibytes(memory.PeakResidentBytes)} at most, {Mebibytes(memory.PeakPoolBytes)} of it for the model; "
        + $"{Mebibytes(memory.PredictedBytes)} predicted";

    /// <summary>A text without ends of lines.</summary>
    public static string OneLine(string text) => text.ReplaceLineEndings(" ");
}
