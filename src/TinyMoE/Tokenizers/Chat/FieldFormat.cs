namespace TinyMoE.Tokenizers.Chat;

/// <summary>Python's format of one value: [[fill]align][sign][0][width][,][.precision][type].</summary>
internal static class FieldFormat
{
    private const int Most = 1000;

    /// <summary>A value by a format.</summary>
    public static string Of(TemplateRun run, object value, string format)
    {
        if (!Numbers.IsNumber(value) && value is not string)
            throw new TemplateFailure($"unsupported format string passed to {TemplateText.TypeOf(value)}.__format__");
        string[] characters = [.. PythonText.Characters(format)];
        bool isAligned = characters.Length > 1 && characters[1] is "<" or ">" or "^" or "=";
        string fill = isAligned ? characters[0] : " ";
        string rest = isAligned ? string.Concat(characters.Skip(1)) : format;
        int i = 0;
        char align = Take("<>^="), sign = Take("+- ");
        if (align == '\0' && Take("0") != '\0')
            (fill, align) = ("0", value is string ? '<' : '=');
        int width = Number();
        bool grouped = Take(",") != '\0';
        int precision = Take(".") == '\0' ? -1 : Number();
        char type = i < rest.Length ? rest[i++] : '\0';
        if (i < rest.Length)
            throw new TemplateFailure("Invalid format specifier");
        return Pad(Text(), width, fill, align != '\0' ? align : value is string ? '<' : '>');

        char Take(string choices) => i < rest.Length && choices.Contains(rest[i], StringComparison.Ordinal) ? rest[i++] : '\0';

        int Number()
        {
            int number = 0;
            for (; i < rest.Length && char.IsAsciiDigit(rest[i]); i++)
                number = Math.Min(Most, (number * 10) + rest[i] - '0');
            return number;
        }

        string Text()
        {
            if (value is string text && type is '\0' or 's')
                return precision < 0 ? text : string.Concat(PythonText.Characters(text).Take(precision));
            bool isWhole = Numbers.IsWhole(value) && type is '\0' or 'd' or 'x' or 'X' or 'o' && precision < 0;
            if (value is string || (!isWhole && type is not ('f' or 'F' or 'e' or 'E' or 'g' or 'G' or '%' or '\0')))
                throw new TemplateFailure($"Unknown format code '{type}' for object of type '{TemplateText.TypeOf(value)}'");
            string number = isWhole || (type == '\0' && precision < 0) ? Shortest(isWhole ? Numbers.Whole(Numbers.Big(value)) : value)
                : type == '%' ? Shown(Numbers.Float(value) * 100, 'f') + "%" : Shown(value, type == '\0' ? 'g' : type);
            number = grouped ? Grouped(number) : number;
            return number[0] == '-' || sign is '\0' or '-' ? number : sign + number;
        }

        string Shortest(object whole) => type is 'x' or 'X' or 'o' ? Shown(whole, type) : TemplateText.Of(run, whole);

        string Shown(object shown, char letter) => new FormatSpec(false, false, false, false, 0, precision).Apply(run, shown, letter, 0);
    }

    private static string Grouped(string number)
    {
        int start = number[0] == '-' ? 1 : 0, end = start;
        while (end < number.Length && char.IsAsciiDigit(number[end]))
            end++;
        for (int i = end - 3; i > start; i -= 3)
            number = number.Insert(i, ",");
        return number;
    }

    private static string Pad(string text, int width, string fill, char align)
    {
        int missing = Math.Max(0, width - PythonText.Length(text));
        string Filling(int count) => string.Concat(Enumerable.Repeat(fill, count));
        int sign = align == '=' && text.Length > 0 && text[0] is '-' or '+' or ' ' ? 1 : 0;
        return align switch
        {
            '<' => text + Filling(missing),
            '^' => Filling(missing / 2) + text + Filling(missing - (missing / 2)),
            '=' => text[..sign] + Filling(missing) + text[sign..],
            _ => Filling(missing) + text,
        };
    }
}
