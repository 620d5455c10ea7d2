using System.Text;

namespace TinyMoE.Tokenizers.Chat;

/// <summary>The methods of Python's strings; places are counted in code points.</summary>
internal static class StringMethods
{
    private delegate object Method(TemplateRun run, string text, Arguments arguments);

    private static readonly Dictionary<string, Method> All = new(StringComparer.Ordinal)
    {
        ["capitalize"] = Plain(PythonText.Capitalize), ["casefold"] = Plain(PythonText.Lower), ["center"] = CenterMethod,
        ["count"] = Count, ["endswith"] = (run, text, arguments) => Affix(run, text, arguments, "endswith"), ["find"] = Find,
        ["format"] = BraceFormat.Of, ["index"] = Index, ["isalnum"] = Every(char.IsLetterOrDigit), ["isalpha"] = Every(char.IsLetter),
        ["isascii"] = (_, text, _) => text.All(char.IsAscii), ["isdecimal"] = Every(char.IsDigit), ["isdigit"] = Every(char.IsDigit),
        ["islower"] = (_, text, _) => PythonText.AllCased(text, upper: false), ["isnumeric"] = Every(char.IsNumber),
        ["isspace"] = Every(PythonText.IsWhite), ["istitle"] = (_, text, _) => text.Any(char.IsLetter) && PythonText.Title(text) == text,
        ["isupper"] = (_, text, _) => PythonText.AllCased(text, upper: true), ["join"] = Join,
        ["ljust"] = (run, text, arguments) => Pad(run, text, arguments, "ljust"), ["lower"] = Plain(PythonText.Lower),
        ["lstrip"] = (_, text, arguments) => PythonText.Strip(text, Characters(arguments, "lstrip"), atEnd: false),
        ["partition"] = Partition, ["removeprefix"] = RemovePrefix, ["removesuffix"] = RemoveSuffix, ["replace"] = ReplaceMethod,
        ["rfind"] = FindLast, ["rindex"] = IndexLast, ["rjust"] = (run, text, arguments) => Pad(run, text, arguments, "rjust"),
        ["rpartition"] = PartitionLast, ["rsplit"] = (run, text, arguments) => Split(run, text, arguments, fromEnd: true),
        ["rstrip"] = (_, text, arguments) => PythonText.Strip(text, Characters(arguments, "rstrip"), atStart: false),
        ["split"] = (run, text, arguments) => Split(run, text, arguments, fromEnd: false), ["splitlines"] = Lines,
        ["startswith"] = (run, text, arguments) => Affix(run, text, arguments, "startswith"),
        ["strip"] = (_, text, arguments) => PythonText.Strip(text, Characters(arguments, "strip")), ["swapcase"] = Plain(SwapCase),
        ["title"] = Plain(PythonText.Title), ["upper"] = Plain(PythonText.Upper), ["zfill"] = FillZeros,
    };

    /// <summary>A text's method of a name; null: it has none.</summary>
    public static FunctionValue? Find(string text, string name)
    {
        return !All.TryGetValue(name, out Method? method) ? null
            : new FunctionValue("builtin_function_or_method", name, (run, arguments) =>
            {
                run.Spend(text.Length / 16);
                return method(run, text, arguments) is var value && value is string made ? run.Made(made) : value;
            });
    }

    /// <summary>A text with others in place of a part, at most so many times (negative: always).</summary>
    public static string Replace(TemplateRun run, string text, string old, string replacement, long most)
    {
        if (old.Length > 0 && most < 0)
        {
            int times = 0;
            for (int i = 0; (i = text.IndexOf(old, i, StringComparison.Ordinal)) >= 0; i += old.Length)
                times++;
            run.CheckSize(text.Length + ((long)times * (replacement.Length - old.Length)));
            return run.Made(text.Replace(old, replacement, StringComparison.Ordinal));
        }

        // An empty part stands before every character, and at the end.
        IEnumerable<string> parts = old.Length > 0 ? PythonText.Split(text, old, most) : PythonText.Characters(text);
        StringBuilder replaced = new(old.Length == 0 && most != 0 ? replacement : "");
        int done = old.Length == 0 ? 1 : 0;
        string between = "";
        foreach (string part in parts)
        {
            replaced.Append(between).Append(part);
            run.CheckSize(replaced.Length);
            between = old.Length > 0 || most < 0 || done < most ? replacement : "";
            done++;
        }

        if (old.Length == 0 && text.Length > 0)
            replaced.Append(between);
        return run.Made(replaced.ToString());
    }

    /// <summary>A text in the middle of so many characters.</summary>
    public static string Center(TemplateRun run, string text, long width, string fill)
    {
        long missing = Math.Max(0, width - PythonText.Length(text));
        run.CheckSize(width);
        long left = (missing / 2) + (missing & width & 1); // as Python shares what is odd
        return run.Made(Repeated(fill, left) + text + Repeated(fill, missing - left));
    }

    private static string Repeated(string fill, long count) => string.Concat(Enumerable.Repeat(fill, (int)count));

    private static Method Plain(Func<string, string> change) => (_, text, arguments) =>
    {
        int given = arguments.Positional.Count + arguments.Named.Count;
        return given == 0 ? change(text) : throw new TemplateFailure($"the string's method takes no arguments ({given} given)");
    };

    private static Method Every(Func<char, bool> holds) => (_, text, _) => text.Length > 0 && text.All(holds);

    private static string SwapCase(string text) => string.Concat(PythonText.Characters(text)
        .Select(c => PythonText.AllCased(c, upper: true) ? PythonText.Lower(c) : PythonText.Upper(c)));

    private static string? Characters(Arguments arguments, string name) => arguments.Bind(name, "chars?")[0] switch
    {
        null or NoneValue => null,
        string characters => characters,
        _ => throw new TemplateFailure($"{name} arg must be None or str"),
    };

    private static string Text(object? value, string name) => value as string
        ?? throw new TemplateFailure($"{name} must be str, not {TemplateText.TypeOf(value ?? NoneValue.Instance)}");

    private static object CenterMethod(TemplateRun run, string text, Arguments arguments)
    {
        object?[] bound = arguments.Bind("center", "width", "fillchar?");
        return Center(run, text, Numbers.Index(bound[0]!, "widths"), Fill(bound[1]));
    }

    private static string Fill(object? fill)
    {
        string text = fill is null ? " " : Text(fill, "the fill character");
        return PythonText.Length(text) == 1 ? text : throw new TemplateFailure("The fill character must be exactly one character long");
    }

    private static object Pad(TemplateRun run, string text, Arguments arguments, string name)
    {
        object?[] bound = arguments.Bind(name, "width", "fillchar?");
        long width = Numbers.Index(bound[0]!, "widths");
        run.CheckSize(width);
        string padding = Repeated(Fill(bound[1]), Math.Max(0, width - PythonText.Length(text)));
        return name == "ljust" ? text + padding : padding + text;
    }

    private static object FillZeros(TemplateRun run, string text, Arguments arguments)
    {
        long width = Numbers.Index(arguments.Bind("zfill", "width")[0]!, "widths");
        run.CheckSize(width);
        string zeros = Repeated("0", Math.Max(0, width - PythonText.Length(text)));
        return text.Length > 0 && text[0] is '+' or '-' ? text[0] + zeros + text[1..] : zeros + text;
    }

    /// <summary>The part of a text between two places, null where it begins behind its end, and the char where it begins.</summary>
    private static (string? Part, int Start) Part(TemplateRun run, string text, object? start, object? end)
    {
        int length = PythonText.Length(text);
        long from = Place(start, 0), to = Math.Min(length, Place(end, length));
        if (from > length || from > to)
            return (null, 0);
        string before = (string)run.Slice(text, NoneValue.Instance, from, NoneValue.Instance);
        return ((string)run.Slice(text, from, to, NoneValue.Instance), before.Length);

        long Place(object? value, long otherwise)
        {
            long place = value is null or NoneValue ? otherwise : Numbers.Index(value, "slice indices");
            return place < 0 ? Math.Max(0, place + length) : place;
        }
    }

    private static object Affix(TemplateRun run, string text, Arguments arguments, string name)
    {
        object?[] bound = arguments.Bind(name, "prefix", "start?", "end?");
        object[] wanted = bound[0] is TupleValue several ? several.Items : [bound[0]!];
        string? part = Part(run, text, bound[1], bound[2]).Part;
        return wanted.Any(affix =>
        {
            string sought = affix as string ?? throw new TemplateFailure(
                $"{name} first arg must be str or a tuple of str, not {TemplateText.TypeOf(affix)}");
            return part is not null && (name == "endswith" ? part.EndsWith(sought, StringComparison.Ordinal)
                : part.StartsWith(sought, StringComparison.Ordinal));
        });
    }

    private static object Count(TemplateRun run, string text, Arguments arguments)
    {
        object?[] bound = arguments.Bind("count", "sub", "start?", "end?");
        string sought = Text(bound[0], "sub");
        if (Part(run, text, bound[1], bound[2]).Part is not { } part)
            return 0L;
        return sought.Length == 0 ? PythonText.Length(part) + 1L : PythonText.Split(part, sought, -1).Count - 1L;
    }

    private static object Find(TemplateRun run, string text, Arguments arguments) => Search(run, text, arguments, "find", last: false);

    private static object FindLast(TemplateRun run, string text, Arguments arguments) => Search(run, text, arguments, "rfind", last: true);

    private static object Index(TemplateRun run, string text, Arguments arguments) =>
        Search(run, text, arguments, "index", last: false) is >= 0L and var place ? place : throw NotFound();

    private static object IndexLast(TemplateRun run, string text, Arguments arguments) =>
        Search(run, text, arguments, "rindex", last: true) is >= 0L and var place ? place : throw NotFound();

    private static TemplateFailure NotFound() => new("substring not found");

    private static object Search(TemplateRun run, string text, Arguments arguments, string name, bool last)
    {
        object?[] bound = arguments.Bind(name, "sub", "start?", "end?");
        string sought = Text(bound[0], "sub");
        (string? part, int start) = Part(run, text, bound[1], bound[2]);
        int place = part is null ? -1 : last ? part.LastIndexOf(sought, StringComparison.Ordinal)
            : part.IndexOf(sought, StringComparison.Ordinal);
        return place < 0 ? -1L : (long)PythonText.PlaceOf(text, start + place);
    }

    private static object Join(TemplateRun run, string text, Arguments arguments)
    {
        long size = 0;
        List<string> parts = [];
        foreach (object item in run.Visit(arguments.Bind("join", "iterable")[0]!))
        {
            string part = item as string ?? throw new TemplateFailure(
                $"sequence item {parts.Count}: expected str instance, {TemplateText.TypeOf(item)} found");
            run.CheckSize(size += part.Length + text.Length);
            parts.Add(part);
        }

        return string.Join(text, parts);
    }

    private static object Lines(TemplateRun run, string text, Arguments arguments)
    {
        bool keepEnds = arguments.Bind("splitlines", "keepends?")[0] is { } keep && run.IsTrue(keep);
        return ListOf(run, PythonText.Lines(text, keepEnds));
    }

    private static ListValue ListOf(TemplateRun run, List<string> parts)
    {
        run.Spend(parts.Count);
        return new ListValue([.. parts]);
    }

    private static object Split(TemplateRun run, string text, Arguments arguments, bool fromEnd)
    {
        object?[] bound = arguments.Bind(fromEnd ? "rsplit" : "split", "sep?", "maxsplit?");
        string? separator = bound[0] is null or NoneValue ? null : Text(bound[0], "the separator");
        if (separator?.Length == 0)
            throw new TemplateFailure("empty separator");
        return ListOf(run, PythonText.Split(text, separator, bound[1] is { } most ? Numbers.Index(most, "counts") : -1, fromEnd));
    }

    private static string Separator(Arguments arguments, string name)
    {
        string separator = Text(arguments.Bind(name, "sep")[0], "the separator");
        return separator.Length > 0 ? separator : throw new TemplateFailure("empty separator");
    }

    private static object Partition(TemplateRun run, string text, Arguments arguments)
    {
        string separator = Separator(arguments, "partition");
        int place = text.IndexOf(separator, StringComparison.Ordinal);
        return place < 0 ? new TupleValue([text, "", ""])
            : new TupleValue([text[..place], separator, text[(place + separator.Length)..]]);
    }

    private static object PartitionLast(TemplateRun run, string text, Arguments arguments)
    {
        string separator = Separator(arguments, "rpartition");
        int place = text.LastIndexOf(separator, StringComparison.Ordinal);
        return place < 0 ? new TupleValue(["", "", text])
            : new TupleValue([text[..place], separator, text[(place + separator.Length)..]]);
    }

    private static object RemovePrefix(TemplateRun run, string text, Arguments arguments)
    {
        string prefix = Text(arguments.Bind("removeprefix", "prefix")[0], "the prefix");
        return text.StartsWith(prefix, StringComparison.Ordinal) ? text[prefix.Length..] : text;
    }

    private static object RemoveSuffix(TemplateRun run, string text, Arguments arguments)
    {
        string suffix = Text(arguments.Bind("removesuffix", "suffix")[0], "the suffix");
        return text.EndsWith(suffix, StringComparison.Ordinal) ? text[..^suffix.Length] : text;
    }

    private static object ReplaceMethod(TemplateRun run, string text, Arguments arguments)
    {
        object?[] bound = arguments.Bind("replace", "old", "new", "count?");
        return Replace(run, text, Text(bound[0], "replace() argument 1"), Text(bound[1], "replace() argument 2"),
            bound[2] is { } most ? Numbers.Index(most, "counts") : -1);
    }
}
