using System.Globalization;
using System.Text;

namespace TinyMoE.Tokenizers.Chat;

/// <summary>Python's "..." % values: %s %r %d %i %u %f %e %g %x %X %o %c %%, with flags, width and precision.</summary>
internal static class PercentFormat
{
    /// <summary>A format with its values: a tuple's items, a dict's by name, or one value.</summary>
    public static string Of(TemplateRun run, string format, object values)
    {
        object[] items = values is TupleValue tuple ? tuple.Items : [values];
        StringBuilder text = new();
        int used = 0;
        bool named = false;
        for (int i = 0; i < format.Length; i++)
        {
            run.CheckSize(text.Length);
            if (format[i] != '%')
            {
                text.Append(format[i]);
                continue;
            }

            i++;
            object? value = null;
            if (i < format.Length && format[i] == '(')
            {
                int end = format.IndexOf(')', i);
                if (end < 0)
                    throw new TemplateFailure("incomplete format key");
                string name = format[(i + 1)..end];
                value = values is DictValue dict ? dict.Find(name) ?? throw new TemplateFailure($"'{name}'")
                    : throw new TemplateFailure("format requires a mapping");
                (i, named) = (end + 1, true);
            }

            FormatSpec spec = FormatSpec.Read(format, ref i);
            if (i >= format.Length)
                throw new TemplateFailure("incomplete format");
            if (format[i] == '%')
            {
                text.Append('%');
                continue;
            }

            value ??= used < items.Length ? items[used++] : throw new TemplateFailure("not enough arguments for format string");
            text.Append(spec.Apply(run, value, format[i], i));
        }

        if (!named && used < items.Length && values is not (DictValue or ListValue or RangeValue or UndefinedValue))
            throw new TemplateFailure("not all arguments converted during string formatting");
        return text.ToString();
    }
}

/// <summary>How one value of a format is shown.</summary>
internal sealed record FormatSpec(bool Left, bool Plus, bool Space, bool Zero, int Width, int Precision)
{
    private const int Most = 1000;

    /// <summary>Reads flags, width and precision; <paramref name="i"/> then stands at the letter of the type.</summary>
    public static FormatSpec Read(string format, ref int i)
    {
        bool left = false, plus = false, space = false, zero = false;
        for (; i < format.Length && "-+ 0#".Contains(format[i], StringComparison.Ordinal); i++)
        {
            left |= format[i] == '-';
            plus |= format[i] == '+';
            space |= format[i] == ' ';
            zero |= format[i] == '0';
        }

        int width = Number(format, ref i), precision = -1;
        if (i < format.Length && format[i] == '.')
        {
            i++;
            precision = Number(format, ref i);
        }

        return new FormatSpec(left, plus, space, zero, width, precision);
    }

    /// <summary>A value as the letter of a type shows it.</summary>
    public string Apply(TemplateRun run, object value, char type, int place)
    {
        switch (type)
        {
            case 's' or 'r' or 'a':
                string text = type == 's' ? TemplateText.Of(run, value) : TemplateText.Quoted(run, value);
                return Padded(Precision < 0 ? text : string.Concat(PythonText.Characters(text).Take(Precision)), false);
            case 'c':
                long code = value is string ? 0 : Numbers.Index(value, "characters");
                return Padded(value as string ?? char.ConvertFromUtf32((int)Math.Clamp(code, 0, 0xD7FF)), false);
            case 'd' or 'i' or 'u' or 'x' or 'X' or 'o':
                return Padded(Signed(Whole(value, type)), Zero);
            case 'f' or 'F' or 'e' or 'E' or 'g' or 'G':
                if (!Numbers.IsNumber(TemplateRun.Defined(value)))
                    throw new TemplateFailure($"must be real number, not {TemplateText.TypeOf(value)}");
                return Padded(Signed(Broken(Numbers.Float(value), type)), Zero);
            default:
                throw new TemplateFailure($"unsupported format character '{type}' (0x{(int)type:x}) at index {place}");
        }
    }

    private static string Whole(object value, char type)
    {
        TemplateRun.Defined(value);
        if (!Numbers.IsNumber(value) || (value is double && type is 'x' or 'X' or 'o'))
            throw new TemplateFailure($"%{type} format: a real number is required, not {TemplateText.TypeOf(value)}");
        System.Numerics.BigInteger whole = value is double number && double.IsFinite(number)
            ? new System.Numerics.BigInteger(Math.Truncate(number)) : value is double ? throw new TemplateFailure(
                "cannot convert float to integer") : Numbers.Big(value);
        string sign = whole.Sign < 0 ? "-" : "";
        whole = System.Numerics.BigInteger.Abs(whole);
        if (type is 'd' or 'i' or 'u')
            return sign + whole.ToString(CultureInfo.InvariantCulture);
        int radix = type == 'o' ? 8 : 16;
        StringBuilder digits = new();
        do
        {
            digits.Insert(0, (type == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[(int)(whole % radix)]);
            whole /= radix;
        }
        while (!whole.IsZero);
        return sign + digits;
    }

    private string Broken(double value, char type)
    {
        int digits = Precision < 0 ? 6 : Precision;
        if (type is 'f' or 'F' || !double.IsFinite(value))
            return Numbers.Fixed(value, digits);
        if (type is 'e' or 'E')
        {
            string power = Scientific(value, type, digits); // .NET's exponents have three digits, C's two where those are enough
            return power[^3] == '0' ? power[..^3] + power[^2..] : power;
        }

        return General(value, Math.Max(1, digits), char.IsUpper(type) ? "E" : "e");
    }

    // So many significant digits, without zeros at the end; as a power of ten where that many do not reach the point, or below 1e-4.
    private static string General(double value, int digits, string letter)
    {
        string[] power = Scientific(value, 'E', digits - 1).Split('E');
        int exponent = int.Parse(power[1], NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture);
        if (exponent >= -4 && exponent < digits)
            return WithoutZeros(Numbers.Fixed(value, digits - 1 - exponent));
        string shown = Math.Abs(exponent).ToString("00", CultureInfo.InvariantCulture);
        return WithoutZeros(power[0]) + letter + (exponent < 0 ? "-" : "+") + shown;
    }

    private static string WithoutZeros(string number) =>
        number.Contains('.', StringComparison.Ordinal) ? number.TrimEnd('0').TrimEnd('.') : number;

    private static string Scientific(double value, char letter, int digits) =>
        value.ToString(letter + digits.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);

    private string Signed(string number) => number[0] == '-' ? number : Plus ? "+" + number : Space ? " " + number : number;

    private string Padded(string text, bool zeros)
    {
        int missing = Width - PythonText.Length(text);
        if (missing <= 0)
            return text;
        if (Left)
            return text + new string(' ', missing);
        if (!zeros)
            return new string(' ', missing) + text;
        int sign = text[0] is '-' or '+' or ' ' ? 1 : 0;
        return text[..sign] + new string('0', missing) + text[sign..];
    }

    private static int Number(string format, ref int i)
    {
        int number = 0;
        for (; i < format.Length && char.IsAsciiDigit(format[i]); i++)
            number = Math.Min(Most, (number * 10) + format[i] - '0');
        return number;
    }
}

/// <summary>
/// Python's "...".format(values): {}, {0}, {name}, each with .attribute and [item], with !s or !r, and with a format as {:>8.2f}.
/// </summary>
internal static class BraceFormat
{
    /// <summary>A format with its values.</summary>
    public static object Of(TemplateRun run, string format, Arguments arguments)
    {
        StringBuilder text = new();
        int next = 0;
        for (int i = 0; i < format.Length; i++)
        {
            run.CheckSize(text.Length);
            char c = format[i];
            if (c is not ('{' or '}'))
            {
                text.Append(c);
            }
            else if (i + 1 < format.Length && format[i + 1] == c)
            {
                text.Append(c);
                i++;
            }
            else
            {
                int end = c == '{' ? format.IndexOf('}', i) : -1;
                if (end < 0)
                    throw new TemplateFailure($"Single '{c}' encountered in format string");
                text.Append(Field(run, format[(i + 1)..end], arguments, ref next));
                i = end;
            }
        }

        return text.ToString();
    }

    private static string Field(TemplateRun run, string field, Arguments arguments, ref int next)
    {
        int colon = field.IndexOf(':', StringComparison.Ordinal);
        string format = colon < 0 ? "" : field[(colon + 1)..];
        field = colon < 0 ? field : field[..colon];
        bool quoted = field.EndsWith("!r", StringComparison.Ordinal), printed = field.EndsWith("!s", StringComparison.Ordinal);
        field = quoted || printed ? field[..^2] : field;
        if (field.AsSpan().IndexOfAny("{!") >= 0)
            throw new TemplateFailure("format() knows !r and !s, and no fields inside of fields");
        int end = field.AsSpan().IndexOfAny(".[");
        string first = end < 0 ? field : field[..end];
        object? value = first.Length == 0 ? At(next++) : int.TryParse(first, NumberStyles.None, null, out int place) ? At(place)
            : arguments.Named.FirstOrDefault(item => item.Key == first).Value ?? throw new TemplateFailure($"'{first}'");
        foreach (string part in end < 0 ? [] : field[end..].Split(['.', '['], StringSplitOptions.RemoveEmptyEntries))
        {
            string key = part.TrimEnd(']');
            value = part.EndsWith(']') ? run.Item(value, long.TryParse(key, NumberStyles.None, null, out long index) ? index : key)
                : run.Attribute(value, key);
        }

        value = quoted ? TemplateText.Quoted(run, value) : printed ? TemplateText.Of(run, value) : value;
        return format.Length == 0 ? TemplateText.Of(run, value) : FieldFormat.Of(run, value, format);

        object At(int place) => place < arguments.Positional.Count ? arguments.Positional[place] : throw new TemplateFailure(
            $"Replacement index {place} out of range for positional args tuple");
    }
}
