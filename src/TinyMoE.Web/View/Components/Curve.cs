using System.Globalization;
using TinyMoE.App;
using TinyMoE.Web.View.Runs;

namespace TinyMoE.Web.View.Components;

/// <summary>A line of a chart.</summary>
/// <param name="Name">What it is called in the legend.</param>
/// <param name="Points">Its points, by X.</param>
/// <param name="Color">Which colour, from 0; beyond the palette the colours come again with another line.</param>
/// <param name="IsDashed">Whether it is the second of a pair, as validation beside training.</param>
public sealed record Curve(string Name, IReadOnlyList<CurvePoint> Points, int Color, bool IsDashed = false);

/// <summary>Numbers as the pages write them.</summary>
internal static class Say
{
    private static readonly CultureInfo Invariant = CultureInfo.InvariantCulture;

    /// <summary>A number in at most 4 digits that count, large ones with k, M, G.</summary>
    public static string Short(double value)
    {
        double size = Math.Abs(value);
        return !double.IsFinite(value) ? "–"
            : size >= 1e9 ? (value / 1e9).ToString("0.##", Invariant) + "G"
            : size >= 1e6 ? (value / 1e6).ToString("0.##", Invariant) + "M"
            : size >= 1e4 ? (value / 1e3).ToString("0.#", Invariant) + "k"
            : size >= 1e-3 || size == 0 ? value.ToString(size >= 100 ? "0.#" : "0.####", Invariant)
            : value.ToString("0.##e0", Invariant);
    }

    /// <summary>A number with all its digits, in groups of three.</summary>
    public static string Whole(long value) => value.ToString("N0", Invariant);

    /// <summary>So many of something: 1 warning, 2 warnings.</summary>
    public static string Count(int count, string of) => count == 1 ? $"1 {of}" : $"{Whole(count)} {of}s";

    /// <summary>A share from 0 to 1 in percent.</summary>
    public static string Percent(double share) => (100 * share).ToString("0.0", Invariant) + " %";

    /// <summary>A text with its ends of lines to be seen, and its blanks, unless they stay <paramref name="blank"/>.</summary>
    public static string Visible(string text, char blank = '␣') => text.Replace("\n", "⏎", StringComparison.Ordinal).Replace(' ', blank);

    /// <summary>What went wrong; pages have no setting for another text, which the command line has.</summary>
    public static string Error(TinyMoEException error) => error is not RequestException request ? error.Message
        : request.In(setting => setting == Setting.Sources ? "--data of 'tinymoe ablate' and 'tinymoe trace'" : setting.ToString());

    /// <summary>Bytes as MiB or GiB.</summary>
    public static string Bytes(long bytes) => bytes >= 1L << 30 ? (bytes / (double)(1L << 30)).ToString("0.##", Invariant) + " GiB"
        : (bytes / (double)(1L << 20)).ToString("0.#", Invariant) + " MiB";

    /// <summary>A time as a person says it: 3 h 12 min, 4 min, 20 s.</summary>
    public static string Time(TimeSpan time) => time.TotalHours >= 48 ? $"{time.TotalDays.ToString("0.#", Invariant)} days"
        : time.TotalHours >= 1 ? $"{(int)time.TotalHours} h {time.Minutes} min"
        : time.TotalMinutes >= 1 ? $"{(int)time.TotalMinutes} min {time.Seconds} s"
        : $"{Math.Max(1, (int)time.TotalSeconds)} s";
}
