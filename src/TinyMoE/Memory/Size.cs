using System.Globalization;

namespace TinyMoE.Memory;

/// <summary>Bytes in words.</summary>
internal static class Size
{
    private static readonly (string Unit, long Bytes)[] Units =
    [
        ("KiB", 1L << 10), ("MiB", 1L << 20), ("GiB", 1L << 30), ("TiB", 1L << 40),
        ("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000), ("B", 1),
    ];

    /// <summary>
    /// The bytes of a text as "5GB", "500 MB" or "1.5GiB": KB, MB and GB are powers of a thousand, KiB, MiB and GiB of 1024.
    /// </summary>
    /// <exception cref="TinyMoEException">It is no such text, or no size from 1 on.</exception>
    public static long Parse(string text)
    {
        foreach ((string unit, long bytes) in Units)
        {
            if (!text.EndsWith(unit, StringComparison.OrdinalIgnoreCase))
                continue;
            bool isNumber = decimal.TryParse(
                text[..^unit.Length].Trim(), NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal number);
            if (isNumber && number <= (decimal)long.MaxValue / bytes && number * bytes >= 1m)
                return (long)(number * bytes);
            break;
        }

        string shown = string.Concat(text.Take(20).Select(c => char.IsControl(c) ? '?' : c));
        throw new TinyMoEException($"'{shown}' is no size: write a number from 1 byte on and a unit, as 5GB, 500MB or 1GiB.");
    }

    /// <summary>As "1.5 GiB", "24 MiB", "96 bytes".</summary>
    public static string Of(long bytes) => bytes switch
    {
        >= 1L << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.##} GiB"),
        >= 1L << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 20):0.#} MiB"),
        >= 10 << 10 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1024.0:0.#} KiB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes} bytes"),
    };
}
