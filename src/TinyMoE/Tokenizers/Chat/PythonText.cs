using System.Globalization;
using System.Text;

namespace TinyMoE.Tokenizers.Chat;

/// <summary>Strings as Python has them: counted and cut by code points; white space and line ends are Python's.</summary>
internal static class PythonText
{
    /// <summary>Whether Python counts it as white space: beside Unicode's, four separators of files, groups, records and units.</summary>
    public static bool IsWhite(char c) => char.IsWhiteSpace(c) || c is >= '\x1c' and <= '\x1f';

    /// <summary>The text without white space at its start.</summary>
    public static string TrimStart(string text)
    {
        int start = 0;
        while (start < text.Length && IsWhite(text[start]))
            start++;
        return text[start..];
    }

    /// <summary>The text without white space at its end.</summary>
    public static string TrimEnd(string text)
    {
        int end = text.Length;
        while (end > 0 && IsWhite(text[end - 1]))
            end--;
        return text[..end];
    }

    /// <summary>The text without white space, or without these characters, at the ends asked for.</summary>
    public static string Strip(string text, string? characters, bool atStart = true, bool atEnd = true)
    {
        if (characters is null)
        {
            text = atStart ? TrimStart(text) : text;
            return atEnd ? TrimEnd(text) : text;
        }

        HashSet<string> unwanted = [.. Characters(characters)];
        int start = 0, end = text.Length;
        while (atStart && start < end && unwanted.Contains(text.Substring(start, LengthAt(text, start))))
            start += LengthAt(text, start);
        while (atEnd && end > start && unwanted.Contains(text.Substring(end - LengthBefore(text, end), LengthBefore(text, end))))
            end -= LengthBefore(text, end);
        return text[start..end];
    }

    /// <summary>The code points of a text, each as a string.</summary>
    public static IEnumerable<string> Characters(string text)
    {
        for (int i = 0; i < text.Length;)
        {
            int length = LengthAt(text, i);
            yield return length == 1 && text[i] < 128 ? Ascii[text[i]] : text.Substring(i, length);
            i += length;
        }
    }

    /// <summary>Whether every code point is one char.</summary>
    public static bool IsPlain(string text)
    {
        foreach (char c in text)
        {
            if (char.IsHighSurrogate(c))
                return false;
        }

        return true;
    }

    /// <summary>Number of code points.</summary>
    public static int Length(string text)
    {
        int length = text.Length;
        for (int i = 0; i + 1 < text.Length; i++)
        {
            if (char.IsSurrogatePair(text[i], text[i + 1]))
                length--;
        }

        return length;
    }

    /// <summary>The place, in code points, of a place in chars.</summary>
    public static int PlaceOf(string text, int index) => Length(text[..index]);

    /// <summary>The lines of a text without their ends; a text that ends in a line's end has no empty line after it.</summary>
    public static List<string> Lines(string text, bool keepEnds = false)
    {
        List<string> lines = [];
        for (int start = 0; start < text.Length;)
        {
            int end = start;
            while (end < text.Length && !IsLineEnd(text[end]))
                end++;
            int next = end == text.Length ? end : text[end] == '\r' && end + 1 < text.Length && text[end + 1] == '\n' ? end + 2 : end + 1;
            lines.Add(text[start..(keepEnds ? next : end)]);
            start = next;
        }

        return lines;
    }

    /// <summary>The parts of a text between a separator, or between white space; at most so many cuts (negative: all).</summary>
    public static List<string> Split(string text, string? separator, long most, bool fromEnd = false)
    {
        if (fromEnd)
        {
            List<string> reversed = Split(Reverse(text), separator is null ? null : Reverse(separator), most);
            reversed.Reverse();
            return [.. reversed.Select(Reverse)];
        }

        List<string> parts = [];
        int at = 0;
        if (separator is null)
        {
            while ((at = SkipWhite(text, at)) < text.Length)
            {
                if (most >= 0 && parts.Count >= most)
                {
                    parts.Add(text[at..]);
                    break;
                }

                int end = at;
                while (end < text.Length && !IsWhite(text[end]))
                    end++;
                parts.Add(text[at..end]);
                at = end;
            }

            return parts;
        }

        for (int found; (most < 0 || parts.Count < most)
            && (found = text.IndexOf(separator, at, StringComparison.Ordinal)) >= 0; at = found + separator.Length)
            parts.Add(text[at..found]);
        parts.Add(text[at..]);
        return parts;
    }

    /// <summary>The code points in reverse; halves of pairs stay together.</summary>
    public static string Reverse(string text)
    {
        char[] reversed = text.ToCharArray();
        Array.Reverse(reversed);
        for (int i = 0; i + 1 < reversed.Length; i++)
        {
            if (char.IsSurrogatePair(reversed[i + 1], reversed[i]))
            {
                (reversed[i], reversed[i + 1]) = (reversed[i + 1], reversed[i]);
                i++;
            }
        }

        return new string(reversed);
    }

    /// <summary>Capital letters; a few letters become several, as in Python.</summary>
    public static string Upper(string text)
    {
        string upper = text.ToUpperInvariant();
        if (upper.AsSpan().IndexOfAny(Widening) < 0)
            return upper;
        StringBuilder wide = new();
        foreach (char c in upper)
        {
            wide.Append(c switch
            {
                'ß' => "SS",
                'ŉ' => "ʼN",
                'ﬀ' => "FF",
                'ﬁ' => "FI",
                'ﬂ' => "FL",
                'ﬃ' => "FFI",
                'ﬄ' => "FFL",
                'ﬅ' or 'ﬆ' => "ST",
                _ => c.ToString(),
            });
        }

        return wide.ToString();
    }

    /// <summary>Small letters; a sigma at a word's end is the final one.</summary>
    public static string Lower(string text)
    {
        string lower = text.Replace("İ", "i\u0307", StringComparison.Ordinal).ToLowerInvariant();
        if (!text.Contains('Σ', StringComparison.Ordinal))
            return lower;
        char[] letters = lower.ToCharArray();
        for (int i = 0; i < letters.Length && letters.Length == text.Length; i++)
        {
            bool ends = i + 1 == letters.Length || !char.IsLetter(letters[i + 1]);
            if (text[i] == 'Σ' && i > 0 && char.IsLetter(letters[i - 1]) && ends)
                letters[i] = 'ς';
        }

        return new string(letters);
    }

    /// <summary>The first code point as a capital, the rest small.</summary>
    public static string Capitalize(string text) =>
        text.Length == 0 ? text : Titled(text[..LengthAt(text, 0)]) + Lower(text[LengthAt(text, 0)..]);

    /// <summary>Every letter after what is no letter as a capital, all others small.</summary>
    public static string Title(string text)
    {
        StringBuilder title = new();
        bool inWord = false;
        foreach (string c in Characters(text))
        {
            title.Append(inWord ? Lower(c) : Titled(c));
            inWord = IsCased(c);
        }

        return title.ToString();
    }

    /// <summary>Whether all letters are of the kind asked for, and there is one.</summary>
    public static bool AllCased(string text, bool upper)
    {
        bool any = false;
        foreach (string c in Characters(text).Where(IsCased))
        {
            UnicodeCategory category = CharUnicodeInfo.GetUnicodeCategory(c, 0);
            if (category != (upper ? UnicodeCategory.UppercaseLetter : UnicodeCategory.LowercaseLetter))
                return false;
            any = true;
        }

        return any;
    }

    /// <summary>The order of two texts by code points.</summary>
    public static int Compare(string left, string right)
    {
        int length = Math.Min(left.Length, right.Length);
        for (int i = 0; i < length; i++)
        {
            if (left[i] == right[i])
                continue;
            bool wideLeft = char.IsSurrogate(left[i]), wideRight = char.IsSurrogate(right[i]);
            return wideLeft != wideRight ? (wideLeft ? 1 : -1) : left[i].CompareTo(right[i]);
        }

        return left.Length.CompareTo(right.Length);
    }

    private static readonly string[] Ascii = [.. Enumerable.Range(0, 128).Select(c => ((char)c).ToString())];

    private static readonly System.Buffers.SearchValues<char> Widening = System.Buffers.SearchValues.Create("ßŉﬀﬁﬂﬃﬄﬅﬆ");

    // Of a letter that becomes several, the first alone is a capital.
    private static string Titled(string c) => Upper(c) is { Length: > 1 } wide && c.Length == 1 ? wide[0] + Lower(wide[1..]) : Upper(c);

    private static bool IsCased(string c) => CharUnicodeInfo.GetUnicodeCategory(c, 0)
        is UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter;

    private static bool IsLineEnd(char c) => c is (>= '\n' and <= '\r') or (>= '\x1c' and <= '\x1e') or '\x85' or '\u2028' or '\u2029';

    private static int LengthAt(string text, int i) => i + 1 < text.Length && char.IsSurrogatePair(text[i], text[i + 1]) ? 2 : 1;

    private static int LengthBefore(string text, int end) => end > 1 && char.IsSurrogatePair(text[end - 2], text[end - 1]) ? 2 : 1;

    private static int SkipWhite(string text, int i)
    {
        while (i < text.Length && IsWhite(text[i]))
            i++;
        return i;
    }
}
