using System.Net;

namespace TinyMoE.Tokenizers.Chat;

/// <content>Filters that write sizes and HTML, and what they need.</content>
internal static partial class Filters
{
    private static readonly string[] DecimalUnits = ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
    private static readonly string[] BinaryUnits = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];

    private static object FileSize(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("filesizeformat", "value", "binary?");
        double size = (double)ToFloat(run, new Arguments([bound[0]!], [])), unit = 1;
        bool isBinary = IsSet(run, bound[1]);
        int step = isBinary ? 1024 : 1000;
        if (size == 1)
            return "1 Byte";
        if (size < step)
            return TemplateText.Of(run, ToWhole(run, new Arguments([size], []))) + " Bytes";
        string name = "";
        foreach (string next in isBinary ? BinaryUnits : DecimalUnits)
        {
            (name, unit) = (next, unit * step);
            if (size < unit * step)
                break;
        }

        return $"{Numbers.Fixed(size / unit, 1)} {name}";
    }

    private static object XmlAttributes(TemplateRun run, Arguments arguments)
    {
        object?[] bound = arguments.Bind("xmlattr", "d", "autospace?");
        if (bound[0] is not DictValue dict)
            throw new TemplateFailure($"'{TemplateText.TypeOf(bound[0]!)}' object has no attribute 'items'");
        List<string> parts = [];
        foreach ((object key, object value) in dict.Items.Where(item => item.Value is not (NoneValue or UndefinedValue)))
        {
            string name = TemplateText.Of(run, key);
            if (name.Any(c => char.IsWhiteSpace(c) || c is '/' or '>' or '='))
                throw new TemplateFailure($"Invalid character in attribute name: {TemplateText.Quoted(run, key)}");
            parts.Add($"{Escape(name)}=\"{Escape(TemplateText.Of(run, value))}\"");
            run.CheckSize(parts.Sum(part => (long)part.Length));
        }

        string text = string.Join(' ', parts);
        return run.Made(parts.Count > 0 && (bound[1] is not { } spaced || run.IsTrue(spaced)) ? " " + text : text);
    }

    // Comments and tags go, white space in a row becomes one blank, and entities become what they stand for.
    private static string StripTags(string text)
    {
        text = Without(Without(text, "<!--", "-->"), "<", ">");
        return WebUtility.HtmlDecode(string.Join(' ', PythonText.Split(text, null, -1)));
    }

    private static string Without(string text, string open, string close)
    {
        System.Text.StringBuilder kept = new();
        int at = 0;
        while (text.IndexOf(open, at, StringComparison.Ordinal) is int start and >= 0
            && text.IndexOf(close, start, StringComparison.Ordinal) is int end and >= 0)
        {
            kept.Append(text, at, start - at);
            at = end + close.Length;
        }

        return kept.Append(text, at, text.Length - at).ToString();
    }
}
