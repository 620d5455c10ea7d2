using System.Globalization;
using System.Numerics;
using System.Text;

namespace TinyMoE.Tokenizers.Chat;

/// <summary>Kinds of tokens of a template.</summary>
internal enum TokenKind
{
    /// <summary>Text to be written as it is.</summary>
    Data,

    /// <summary>The beginning of <c>{{ ... }}</c>.</summary>
    VariableBegin,

    /// <summary>The end of it.</summary>
    VariableEnd,

    /// <summary>The beginning of <c>{% ... %}</c>.</summary>
    BlockBegin,

    /// <summary>The end of it.</summary>
    BlockEnd,

    /// <summary>A name or a keyword.</summary>
    Name,

    /// <summary>A string, without quotes and escapes.</summary>
    String,

    /// <summary>A number, whole or not.</summary>
    Number,

    /// <summary>An operator or a bracket.</summary>
    Operator,

    /// <summary>The end of the template.</summary>
    End,
}

/// <summary>A token with its line, from 1; <paramref name="Value"/> is what a number says.</summary>
internal readonly record struct TemplateToken(TokenKind Kind, string Text, int Line, object? Value = null)
{
    /// <summary>Whether it is this operator.</summary>
    public bool IsOperator(string text) => Kind == TokenKind.Operator && Text == text;

    /// <summary>Whether it is this name.</summary>
    public bool IsName(string text) => Kind == TokenKind.Name && Text == text;
}

/// <summary>
/// Cuts a template into tokens as Jinja 3.1 with trim_blocks and lstrip_blocks does: a line break right after a block or a comment is
/// dropped, and so are blanks from the start of a line to one; a minus at a tag drops all white space on its side, a plus keeps it.
/// (Jinja documentation, "Whitespace Control".)
/// </summary>
internal sealed class TemplateLexer
{
    private static readonly string[] Operators =
    [
        "//", "**", "==", "!=", ">=", "<=", "+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|",
        ",", ";",
    ];

    private readonly string source;
    private readonly List<TemplateToken> tokens = [];
    private readonly Stack<char> brackets = new();
    private int at, line = 1, lineAt;
    private bool lineStarts = true; // a tag here may stand at the start of a line

    private TemplateLexer(string source) => this.source = source;

    /// <summary>The tokens of a template, the last of them <see cref="TokenKind.End"/>.</summary>
    public static IReadOnlyList<TemplateToken> Read(string template)
    {
        string source = template.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        TemplateLexer lexer = new(source.EndsWith('\n') ? source[..^1] : source);
        lexer.ReadText();
        return lexer.tokens;
    }

    private void ReadText()
    {
        while (at < source.Length)
        {
            int tag = NextTag();
            if (tag < 0)
            {
                Add(TokenKind.Data, source[at..]);
                at = source.Length;
                break;
            }

            char kind = source[tag + 1];
            int rawEnd = kind == '%' ? RawBegin(tag) : -1;
            int inner = AfterSign(tag + 2, out char sign);
            AddData(source[at..tag], sign, isVariable: kind == '{');
            at = rawEnd >= 0 ? rawEnd : inner;
            if (rawEnd >= 0)
                ReadRaw();
            else if (kind == '#')
                SkipComment();
            else
                ReadTag(kind == '{');
            lineStarts = at > 0 && source[at - 1] == '\n';
        }

        Add(TokenKind.End, "");
    }

    private int NextTag()
    {
        for (int i = source.IndexOf('{', at); i >= 0 && i + 1 < source.Length; i = source.IndexOf('{', i + 1))
        {
            if (source[i + 1] is '{' or '%' or '#')
                return i;
        }

        return -1;
    }

    private int AfterSign(int i, out char sign)
    {
        sign = i < source.Length && source[i] is '-' or '+' ? source[i] : ' ';
        return sign == ' ' ? i : i + 1;
    }

    private void AddData(string text, char sign, bool isVariable)
    {
        if (sign == '-')
        {
            text = PythonText.TrimEnd(text);
        }
        else if (sign != '+' && !isVariable)
        {
            int start = text.LastIndexOf('\n') + 1;
            if ((start > 0 || lineStarts) && PythonText.TrimStart(text[start..]).Length == 0)
                text = text[..start];
        }

        if (text.Length > 0)
            Add(TokenKind.Data, text);
    }

    /// <summary>Where the text of <c>{% raw %}</c> begins, or -1 where this is another tag.</summary>
    private int RawBegin(int tag)
    {
        int i = Word(SkipWhite(AfterSign(tag + 2, out _)), "raw");
        return i < 0 ? -1 : Has(i, "-%}") ? SkipWhite(i + 3) : Has(i, "%}") ? i + 2 : -1;
    }

    private void ReadRaw()
    {
        for (int i = source.IndexOf("{%", at, StringComparison.Ordinal); i >= 0; i = source.IndexOf("{%", i + 1, StringComparison.Ordinal))
        {
            int end = Word(SkipWhite(AfterSign(i + 2, out char sign)), "endraw");
            if (end < 0 || (end = EndOfTag(end, "%}", trims: true)) < 0)
                continue;
            lineStarts = source[at - 1] == '\n';
            AddData(source[at..i], sign, isVariable: false);
            at = end;
            return;
        }

        throw new TemplateFailure("Missing end of raw directive", LineOf(at));
    }

    private int Word(int i, string word) => Has(i, word) ? SkipWhite(i + word.Length) : -1;

    private void SkipComment()
    {
        int end = source.IndexOf("#}", at, StringComparison.Ordinal);
        if (end < 0)
            throw new TemplateFailure("Missing end of comment tag", LineOf(at));
        bool signed = end > at && source[end - 1] is '-' or '+';
        at = EndOfTag(signed ? end - 1 : end, "#}", trims: true);
    }

    /// <summary>The place behind the end of a tag and the white space that it drops; -1 where no tag ends here.</summary>
    private int EndOfTag(int i, string end, bool trims)
    {
        if (Has(i, "-") && Has(i + 1, end))
            return SkipWhite(i + 1 + end.Length);
        if (trims && Has(i, "+") && Has(i + 1, end))
            return i + 1 + end.Length;
        if (!Has(i, end))
            return -1;
        i += end.Length;
        return trims && Has(i, "\n") ? i + 1 : i;
    }

    private void ReadTag(bool isVariable)
    {
        string end = isVariable ? "}}" : "%}";
        Add(isVariable ? TokenKind.VariableBegin : TokenKind.BlockBegin, isVariable ? "{{" : "{%");
        while (true)
        {
            if (brackets.Count == 0 && EndOfTag(at, end, trims: !isVariable) is int after and >= 0)
            {
                Add(isVariable ? TokenKind.VariableEnd : TokenKind.BlockEnd, end);
                at = after;
                return;
            }

            if (at == source.Length)
                throw new TemplateFailure($"unexpected end of template, expected '{end}'", LineOf(at));
            ReadToken();
        }
    }

    private void ReadToken()
    {
        char c = source[at];
        if (PythonText.IsWhite(c))
            at = SkipWhite(at);
        else if (char.IsAsciiDigit(c))
            ReadNumber();
        else if (IsWordPart(c))
            ReadName();
        else if (c is '\'' or '"')
            ReadString(c);
        else if (Operators.FirstOrDefault(text => Has(at, text)) is { } text)
            ReadOperator(text);
        else
            throw new TemplateFailure($"unexpected char '{c}'", LineOf(at));
    }

    private void ReadOperator(string text)
    {
        if (text is "(" or "[" or "{")
        {
            brackets.Push(text[0] == '(' ? ')' : text[0] == '[' ? ']' : '}');
        }
        else if (text is ")" or "]" or "}")
        {
            if (brackets.Count == 0)
                throw new TemplateFailure($"unexpected '{text}'", LineOf(at));
            if (brackets.Pop() is char expected && expected != text[0])
                throw new TemplateFailure($"unexpected '{text}', expected '{expected}'", LineOf(at));
        }

        Add(TokenKind.Operator, text);
        at += text.Length;
    }

    private void ReadName()
    {
        int end = at;
        while (end < source.Length && IsWordPart(source[end]))
            end++;
        Add(TokenKind.Name, source[at..end]);
        at = end;
    }

    private static bool IsWordPart(char c) => char.IsLetterOrDigit(c) || c == '_';

    // 1_000, 0x1f, 0o17, 0b11, 1.5, 1e5, 1.5e-3: a point without digits behind it is no part of a number.
    private void ReadNumber()
    {
        int start = at, end = Digits(at);
        if (source[at] == '0' && at + 2 < source.Length && "xXoObB".Contains(source[at + 1], StringComparison.Ordinal)
            && char.IsAsciiHexDigit(source[at + 2]))
        {
            ReadPrefixed();
            return;
        }

        bool whole = true, afterPoint = start > 0 && source[start - 1] == '.'; // a.0.1 is a subscript twice
        if (!afterPoint && Has(end, ".") && end + 1 < source.Length && char.IsAsciiDigit(source[end + 1]))
            (end, whole) = (Digits(end + 1), false);
        if (!afterPoint && end < source.Length && source[end] is 'e' or 'E')
        {
            int exponent = end + 1 + (end + 1 < source.Length && source[end + 1] is '+' or '-' ? 1 : 0);
            if (exponent < source.Length && char.IsAsciiDigit(source[exponent]))
                (end, whole) = (Digits(exponent), false);
        }

        if (whole && source[start] == '0') // zeros alone: 08 is two numbers, which no template has
        {
            end = start;
            while (end < source.Length && source[end] is '0' or '_')
                end++;
        }

        string digits = source[start..end].Replace("_", "", StringComparison.Ordinal);
        if (digits.Length > 1000)
            throw new TemplateFailure("a number has more than 1000 digits", LineOf(start));
        Add(TokenKind.Number, digits, whole ? Numbers.Whole(BigInteger.Parse(digits, CultureInfo.InvariantCulture))
            : double.Parse(digits, NumberStyles.Float, CultureInfo.InvariantCulture));
        at = end;
    }

    private void ReadPrefixed()
    {
        int radix = char.ToLowerInvariant(source[at + 1]) switch { 'x' => 16, 'o' => 8, _ => 2 };
        BigInteger value = 0;
        int end = at + 2;
        for (; end < source.Length && (char.IsAsciiHexDigit(source[end]) || source[end] == '_') && end - at < 1000; end++)
        {
            if (source[end] == '_')
                continue;
            int digit = Convert.ToInt32(source[end].ToString(), 16);
            if (digit >= radix)
                break;
            value = (value * radix) + digit;
        }

        Add(TokenKind.Number, source[at..end], Numbers.Whole(value));
        at = end;
    }

    private int Digits(int i)
    {
        while (i < source.Length && (char.IsAsciiDigit(source[i])
            || (source[i] == '_' && i + 1 < source.Length && char.IsAsciiDigit(source[i + 1]))))
            i++;
        return i;
    }

    private void ReadString(char quote)
    {
        StringBuilder text = new();
        for (int i = at + 1; i < source.Length; i++)
        {
            if (source[i] == quote)
            {
                Add(TokenKind.String, text.ToString());
                at = i + 1;
                return;
            }

            if (source[i] == '\\' && i + 1 < source.Length)
                i = ReadEscape(i + 1, text);
            else
                text.Append(source[i]);
        }

        throw new TemplateFailure($"unexpected char '{quote}'", LineOf(at));
    }

    /// <summary>Reads the escape whose letter stands at <paramref name="i"/>; gives the place of its last character.</summary>
    private int ReadEscape(int i, StringBuilder text)
    {
        const string Letters = "abfnrtv\\'\"\n", Meanings = "\a\b\f\n\r\t\v\\'\"";
        char c = source[i];
        int known = Letters.IndexOf(c, StringComparison.Ordinal);
        if (known >= 0)
        {
            if (known < Meanings.Length)
                text.Append(Meanings[known]); // an escaped line break is nothing
            return i;
        }

        if (c is >= '0' and <= '7')
        {
            int value = 0, end = i;
            while (end < source.Length && end < i + 3 && source[end] is >= '0' and <= '7')
                value = (value * 8) + source[end++] - '0';
            text.Append((char)value);
            return end - 1;
        }

        int length = c switch { 'x' => 2, 'u' => 4, 'U' => 8, _ => 0 };
        if (length == 0)
        {
            text.Append('\\').Append(c);
            return i;
        }

        if (i + length >= source.Length || !uint.TryParse(source.AsSpan(i + 1, length), NumberStyles.AllowHexSpecifier, null, out uint code)
            || code > 0x10FFFF)
            throw new TemplateFailure($"the escape \\{c} needs {length} hexadecimal digits of a character", LineOf(i));
        text.Append(code > 0xFFFF ? char.ConvertFromUtf32((int)code) : ((char)code).ToString());
        return i + length;
    }

    private bool Has(int i, string text) => i <= source.Length && string.CompareOrdinal(source, i, text, 0, text.Length) == 0;

    private int SkipWhite(int i)
    {
        while (i < source.Length && PythonText.IsWhite(source[i]))
            i++;
        return i;
    }

    private void Add(TokenKind kind, string text, object? value = null) => tokens.Add(new TemplateToken(kind, text, LineOf(at), value));

    /// <summary>The line of a place that is not before the last one asked for.</summary>
    private int LineOf(int place)
    {
        for (; lineAt < place; lineAt++)
            line += source[lineAt] == '\n' ? 1 : 0;
        return line;
    }
}
