namespace TinyMoE.Tokenizers.Chat;

/// <summary>Filters of single values and texts (Jinja documentation, "List of Builtin Filters"); those of sequences are beside.</summary>
internal static partial class Filters
{
    private static readonly Dictionary<string, Func<TemplateRun, Arguments, object>> All = new(StringComparer.Ordinal)
    {
        ["abs"] = Abs, ["attr"] = Attr, ["batch"] = Batch, ["capitalize"] = OfText(PythonText.Capitalize), ["center"] = Center,
        ["count"] = Length, ["d"] = Default, ["default"] = Default, ["dictsort"] = DictSort, ["e"] = OfText(Escape),
        ["escape"] = OfText(Escape), ["filesizeformat"] = FileSize, ["first"] = First, ["float"] = ToFloat,
        ["forceescape"] = OfText(Escape), ["format"] = Format, ["groupby"] = GroupBy, ["indent"] = Indent, ["int"] = ToWhole,
        ["items"] = Items, ["join"] = Join, ["last"] = Last, ["length"] = Length,
        ["list"] = (run, arguments) => new ListValue([.. run.Visit(arguments.Bind("list", "value")[0]!)]),
        ["lower"] = OfText(PythonText.Lower), ["map"] = Map, ["max"] = (run, arguments) => Extreme(run, arguments, "max", 1),
        ["min"] = (run, arguments) => Extreme(run, arguments, "min", -1), ["reject"] = (run, arguments) => Select(run, arguments, false),
        ["rejectattr"] = (run, arguments) => SelectByAttribute(run, arguments, false), ["replace"] = Replace, ["reverse"] = Reverse,
        ["round"] = Round, ["safe"] = OfText(text => text), ["select"] = (run, arguments) => Select(run, arguments, true),
        ["selectattr"] = (run, arguments) => SelectByAttribute(run, arguments, true), ["slice"] = Slice, ["sort"] = Sort,
        ["string"] = OfText(text => text), ["striptags"] = OfText(StripTags), ["sum"] = Sum, ["title"] = OfText(Title),
        ["tojson"] = ToJson, ["trim"] = Trim, ["truncate"] = Truncate, ["unique"] = Unique, ["upper"] = OfText(PythonText.Upper),
        ["urlencode"] = OfText(EscapeUrl), ["wordcount"] = WordCount, ["xmlattr"] = XmlAttributes,
    };

    /// <summary>The names of all filters.</summary>
    public static IEnumerable<string> Names => All.Keys;

    /// <summary>Applies a filter; the first argument is the value.</summary>
    public static object Apply(TemplateRun run, string name, Arguments arguments)
    {
        run.Spend(1);
        return All.TryGetValue(name, out Func<TemplateRun, Arguments, object>? filter) ? filter(run, arguments)
            : throw new TemplateFailure($"No filter named '{name}'.");
    }

    private static Func<TemplateRun, Arguments, object> OfText(Func<string, string> change) => (run, arguments) =>
        run.Made(change(run.Made(TemplateText.Of(run, arguments.Bind("filter", "value")[0]!))));

    private static object Abs(TemplateRun run, Arguments arguments)
    {
        object value = arguments.Bind("abs", "value")[0]!;
        return value switch
        {
            double number => Math.Abs(number),
            _ when Numbers.IsWhole(value) => Numbers.Whole(System.Numerics.BigInteger.Abs(Numbers.Big(value))),
            _ => throw new TemplateFailure($"bad operand type for abs(): '{TemplateText.TypeOf(value)}'"),
        };
    }

    // An attribute alone, never an item.
    private static object Attr(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("attr", "value", "name");
        string name = TemplateText.Of(run, bound[1]!);
        return bound[0] is DictValue dict && dict.Find(name) is { } item && ReferenceEquals(run.Attribute(dict, name), item)
            ? new UndefinedValue($"'dict object' has no attribute '{name}'") : run.Attribute(bound[0]!, name);
    }

    private static object Center(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("center", "value", "width?");
        return StringMethods.Center(run, TemplateText.Of(run, bound[0]!), bound[1] is { } width ? Numbers.Index(width, "widths") : 80, " ");
    }

    private static object Default(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("default", "value", "default_value?", "boolean?");
        bool isMissing = bound[0] is UndefinedValue || (bound[2] is { } boolean && run.IsTrue(boolean) && !run.IsTrue(bound[0]!));
        return isMissing ? bound[1] ?? "" : bound[0]!;
    }

    private static string Escape(string text) => text.Replace("&", "&amp;", StringComparison.Ordinal)
        .Replace(">", "&gt;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal)
        .Replace("'", "&#39;", StringComparison.Ordinal).Replace("\"", "&#34;", StringComparison.Ordinal);

    private static string EscapeUrl(string text) => string.Join('/', text.Split('/').Select(Uri.EscapeDataString));

    private static object ToFloat(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("float", "value", "default?");
        object value = TemplateRun.Defined(bound[0]!);
        if (Numbers.IsNumber(value))
            return Numbers.Float(value);
        return value is string text && TryFloat(text, out double number) ? number : bound[1] ?? 0.0;
    }

    private static object ToWhole(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("int", "value", "default?", "base?");
        object value = TemplateRun.Defined(bound[0]!), otherwise = bound[1] ?? 0L;
        long radix = bound[2] is { } given ? Numbers.Index(given, "bases") : 10;
        if (Numbers.IsWhole(value))
            return Numbers.Whole(Numbers.Big(value));
        if (value is string text && WholeText.TryRead(text, (int)radix, out System.Numerics.BigInteger whole))
            return Numbers.Whole(whole);
        double number = value is double known ? known : value is string said && TryFloat(said, out double read) ? read : double.NaN;
        return double.IsFinite(number) ? Numbers.Whole(new System.Numerics.BigInteger(Math.Truncate(number))) : otherwise;
    }

    private static bool TryFloat(string text, out double number)
    {
        string trimmed = PythonText.Strip(text, null).ToLowerInvariant().Replace("_", "", StringComparison.Ordinal);
        if (trimmed.TrimStart('+', '-') is "inf" or "infinity")
        {
            number = trimmed[0] == '-' ? double.NegativeInfinity : double.PositiveInfinity;
            return true;
        }

        const System.Globalization.NumberStyles Style = System.Globalization.NumberStyles.AllowLeadingSign
            | System.Globalization.NumberStyles.AllowDecimalPoint | System.Globalization.NumberStyles.AllowExponent;
        return double.TryParse(trimmed, Style, System.Globalization.CultureInfo.InvariantCulture, out number);
    }

    private static object Format(TemplateRun run, Arguments arguments)
    {
        if (arguments.Positional.Count == 0)
            throw new TemplateFailure("format() missing 1 required positional argument: 'value'");
        if (arguments.Named.Count > 0 && arguments.Positional.Count > 1)
            throw new TemplateFailure("can't handle positional and keyword arguments at the same time");
        object given = new TupleValue([.. arguments.Positional.Skip(1)]);
        if (arguments.Named.Count > 0)
        {
            DictValue dict = new(run);
            foreach ((string name, object value) in arguments.Named)
                dict.Set(name, value);
            given = dict;
        }

        return run.Made(PercentFormat.Of(run, TemplateText.Of(run, arguments.Positional[0]), given));
    }

    // The first line has no indent, empty lines have none, unless they are asked for.
    private static object Indent(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("indent", "s", "width?", "first?", "blank?");
        string indent = Spaces(run, bound[1] ?? 4L)!;
        bool first = bound[2] is { } wanted && run.IsTrue(wanted), blank = bound[3] is { } all && run.IsTrue(all);
        List<string> lines = PythonText.Lines((string)run.Compute("+", bound[0]!, "\n"));
        run.CheckSize(lines.Sum(line => (long)line.Length + indent.Length + 1));
        string text = string.Join('\n', lines.Select((line, i) => i > 0 && (blank || line.Length > 0) ? indent + line : line));
        return run.Made(first ? indent + text : text);
    }

    /// <summary>An indent: a text, a number of blanks, or null where it is None.</summary>
    private static string? Spaces(TemplateRun run, object width)
    {
        if (width is string text)
            return text;
        if (width is NoneValue)
            return null;
        long count = Math.Max(0, Numbers.Index(width, "indents"));
        run.CheckSize(count);
        return run.Made(new string(' ', (int)count));
    }

    private static object Length(TemplateRun run, Arguments arguments)
    {
        object value = arguments.Bind("length", "value")[0]!;
        return (long)(run.Length(value) ?? throw new TemplateFailure($"object of type '{TemplateText.TypeOf(value)}' has no len()"));
    }

    private static object Replace(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("replace", "s", "old", "new", "count?");
        long count = bound[3] is { } most and not NoneValue ? Numbers.Index(most, "counts") : -1;
        return StringMethods.Replace(
            run, TemplateText.Of(run, bound[0]!), TemplateText.Of(run, bound[1]!), TemplateText.Of(run, bound[2]!), count);
    }

    private static object Round(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("round", "value", "precision?", "method?");
        object value = bound[0]!;
        if (!Numbers.IsNumber(value))
            throw new TemplateFailure($"type {TemplateText.TypeOf(value)} doesn't define __round__ method");
        int digits = (int)Math.Clamp(Numbers.Index(bound[1] ?? 0L, "precisions"), -400, 400);
        string method = bound[2] as string ?? "common";
        if (method is not ("common" or "ceil" or "floor"))
            throw new TemplateFailure("method must be common, ceil or floor");
        if (method == "common" && value is double number)
            return Numbers.Round(number, digits);
        if (method == "common")
            return digits >= 0 ? Numbers.Whole(Numbers.Big(value)) : RoundWhole(value, -digits);
        double scale = Math.Pow(10, digits), scaled = Numbers.Float(value) * scale;
        return (method == "ceil" ? Math.Ceiling(scaled) : Math.Floor(scaled)) / scale;
    }

    private static object RoundWhole(object value, int zeros)
    {
        System.Numerics.BigInteger big = Numbers.Big(value), unit = System.Numerics.BigInteger.Pow(10, zeros);
        System.Numerics.BigInteger quotient = System.Numerics.BigInteger.DivRem(System.Numerics.BigInteger.Abs(big), unit, out var rest);
        int half = (rest * 2).CompareTo(unit);
        quotient += half > 0 || (half == 0 && !quotient.IsEven) ? 1 : 0;
        return Numbers.Whole(quotient * unit * big.Sign);
    }

    // Other than a string's own method: a word begins after white space and after - ( { [ <.
    private static string Title(string text)
    {
        System.Text.StringBuilder title = new();
        bool begins = true;
        foreach (string c in PythonText.Characters(text))
        {
            title.Append(begins ? PythonText.Upper(c) : PythonText.Lower(c));
            begins = c is "-" or "(" or "{" or "[" or "<" || PythonText.IsWhite(c[0]);
        }

        return title.ToString();
    }

    private static object ToJson(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("tojson", "x", "ensure_ascii?", "indent?", "separators?", "sort_keys?");
        (string, string)? separators = bound[3] switch
        {
            null or NoneValue => null,
            var pair when run.Items(pair) is [string between, string afterKey] => (between, afterKey),
            _ => throw new TemplateFailure("separators must be two strings"),
        };
        string? indent = Spaces(run, bound[2] ?? NoneValue.Instance);
        bool ascii = bound[1] is { } escaped && run.IsTrue(escaped), sorted = bound[4] is { } sort && run.IsTrue(sort);
        return JsonText.Write(run, bound[0]!, indent, separators, ascii, sorted);
    }

    private static object Trim(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("trim", "value", "chars?");
        string? characters = bound[1] is null or NoneValue ? null : TemplateText.Of(run, bound[1]!);
        return run.Made(PythonText.Strip(run.Made(TemplateText.Of(run, bound[0]!)), characters));
    }

    private static object Truncate(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("truncate", "s", "length?", "killwords?", "end?", "leeway?");
        string[] text = [.. PythonText.Characters(TemplateText.Of(run, bound[0]!))];
        string end = bound[3] is { } said ? TemplateText.Of(run, said) : "...";
        int room = (int)Numbers.Index(bound[1] ?? 255L, "lengths"), own = PythonText.Length(end);
        int leeway = bound[4] is null or NoneValue ? 5 : (int)Numbers.Index(bound[4]!, "leeways");
        if (room < own || leeway < 0)
            throw new TemplateFailure(room < own ? $"expected length >= {own}, got {room}" : $"expected leeway >= 0, got {leeway}");
        if (text.Length <= (long)room + leeway)
            return run.Made(string.Concat(text));
        string cut = string.Concat(text.Take(room - own));
        int space = bound[2] is { } kill && run.IsTrue(kill) ? -1 : cut.LastIndexOf(' ');
        return run.Made((space < 0 ? cut : cut[..space]) + end);
    }

    private static object WordCount(TemplateRun run, Arguments arguments)
    {
        string text = run.Made(TemplateText.Of(run, arguments.Bind("wordcount", "s")[0]!));
        long count = 0;
        for (int i = 0; i < text.Length; i++)
            count += IsWord(text[i]) && (i == 0 || !IsWord(text[i - 1])) ? 1 : 0;
        return count;

        static bool IsWord(char c) => char.IsLetterOrDigit(c) || c == '_';
    }
}
