using System.Globalization;
using System.Text;

namespace TinyMoE.Tokenizers.Chat;

/// <summary>A point in time as C's strftime prints it, in English.</summary>
internal static class TimeFormat
{
    /// <summary>The time by a format.</summary>
    public static string Of(TemplateRun run, string format, DateTime time)
    {
        StringBuilder text = new();
        for (int i = 0; i < format.Length; i++)
        {
            run.CheckSize(text.Length);
            if (format[i] != '%' || i + 1 == format.Length)
            {
                text.Append(format[i]);
                continue;
            }

            char flag = format[i + 1] is '-' or '_' && i + 2 < format.Length ? format[i + 1] : ' ';
            i += flag == ' ' ? 1 : 2;
            text.Append(Part(time, format[i], flag));
        }

        return run.Made(text.ToString());
    }

    private static string Part(DateTime time, char letter, char flag)
    {
        int week = (int)time.DayOfWeek, twelve = time.Hour % 12 == 0 ? 12 : time.Hour % 12;
        return letter switch
        {
            'a' => Named("ddd"),
            'A' => Named("dddd"),
            'b' or 'h' => Named("MMM"),
            'B' => Named("MMMM"),
            'c' => $"{Named("ddd MMM")} {Number(time.Day, 2, ' ')} {Named("HH:mm:ss yyyy")}",
            'C' => Number(time.Year / 100, 2),
            'd' => Number(time.Day, 2),
            'D' or 'x' => Named("MM'/'dd'/'yy"),
            'e' => Number(time.Day, 2, ' '),
            'f' => Number((int)(time.Ticks % TimeSpan.TicksPerSecond / TimeSpan.TicksPerMicrosecond), 6),
            'F' => Named("yyyy-MM-dd"),
            'g' => Number(ISOWeek.GetYear(time) % 100, 2),
            'G' => Number(ISOWeek.GetYear(time), 1),
            'H' => Number(time.Hour, 2),
            'I' => Number(twelve, 2),
            'j' => Number(time.DayOfYear, 3),
            'k' => Number(time.Hour, 2, ' '),
            'l' => Number(twelve, 2, ' '),
            'm' => Number(time.Month, 2),
            'M' => Number(time.Minute, 2),
            'n' => "\n",
            'p' => time.Hour < 12 ? "AM" : "PM",
            'P' => time.Hour < 12 ? "am" : "pm",
            'r' => $"{Number(twelve, 2)}:{Named("mm:ss")} {(time.Hour < 12 ? "AM" : "PM")}",
            'R' => Named("HH:mm"),
            's' => new DateTimeOffset(time).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture),
            'S' => Number(time.Second, 2),
            't' => "\t",
            'T' or 'X' => Named("HH:mm:ss"),
            'u' => Number(week == 0 ? 7 : week, 1),
            'U' => Number((time.DayOfYear + 6 - week) / 7, 2),
            'V' => Number(ISOWeek.GetWeekOfYear(time), 2),
            'w' => Number(week, 1),
            'W' => Number((time.DayOfYear + 6 - ((week + 6) % 7)) / 7, 2),
            'y' => Number(time.Year % 100, 2),
            'Y' => Number(time.Year, 1),
            'z' or 'Z' => "", // the time is of no zone
            '%' => "%",
            _ => $"%{letter}",
        };

        string Named(string format) => time.ToString(format, CultureInfo.InvariantCulture);

        string Number(int number, int digits, char fill = '0')
        {
            string text = number.ToString(CultureInfo.InvariantCulture);
            return flag == '-' ? text : text.PadLeft(digits, flag == '_' ? ' ' : fill);
        }
    }
}
