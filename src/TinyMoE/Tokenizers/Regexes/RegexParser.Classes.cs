using System.Globalization;
using System.Text;

namespace TinyMoE.Tokenizers.Regexes;

/// <summary>Classes in brackets, and what a backslash stands for.</summary>
internal sealed partial class RegexParser
{
    private CharacterSet Class()
    {
        if (++depth > Deepest)
            throw Error($"there are more than {Deepest} classes in each other");
        bool isInverted = Take('^');
        CharacterSet? all = null;  // what && has left so far
        int cuts = 0;
        List<CharacterSet> items = [];
        for (bool isFirst = true; ; isFirst = false)
        {
            if (AtEnd)
                throw Error("a [ has no ]");
            if (text[at] == ']' && !isFirst)
                break;
            if (text[at] == '&' && at + 1 < text.Length && text[at + 1] == '&')
            {
                at += 2;
                if (++cuts > Deepest)
                    throw Error($"there are more than {Deepest} && in a class");
                all = all?.And(CharacterSets.AnyOf(items)) ?? CharacterSets.AnyOf(items);
                items.Clear();
                continue;
            }

            items.Add(ClassItem());
        }

        at++;
        depth--;
        CharacterSet set = WithCases(all?.And(CharacterSets.AnyOf(items)) ?? CharacterSets.AnyOf(items));
        return isInverted ? set.Inverted() : set;
    }

    private CharacterSet ClassItem()
    {
        if (Take('['))
            return Bracket() ?? Class();
        int first;
        if (Take('\\'))
        {
            if (Escape(inClass: true) is { } set)
                return set;
            first = EscapedCharacter();
        }
        else
        {
            first = text[at++];
        }

        bool isRange = at + 1 < text.Length && text[at] == '-' && text[at + 1] is not (']' or '[')
            && !(text[at + 1] == '&' && at + 2 < text.Length && text[at + 2] == '&');
        if (!isRange)
            return CharacterSets.Of(first);
        at++;
        int last = text[at++];
        if (last == '\\')
        {
            if (Escape(inClass: true) != null)
                throw Error("a range in a class ends in a class");
            last = EscapedCharacter();
        }

        return last >= first ? CharacterSets.Range(first, last) : throw Error("a range in a class goes backwards");
    }

    // [:space:] and [:^space:]; null: it is a class.
    private CharacterSet? Bracket()
    {
        int end = at;
        if (AtEnd || text[at] != ':')
            return null;
        while (end < text.Length && text[end] != ']')
            end++;
        string name = Text(at + 1, Math.Max(at + 1, end - 1));
        if (end == text.Length || text[end - 1] != ':' || end - 1 == at)
            return null;
        at = end + 1;
        bool isInverted = name.StartsWith('^');
        CharacterSet set = CharacterSets.Bracket(isInverted ? name[1..] : name) ?? throw Error($"[:{name}:] is not known");
        return isInverted ? set.Inverted() : set;
    }

    // A set that an escape stands for; null: it is a character.
    private CharacterSet? Escape(bool inClass)
    {
        if (AtEnd)
            throw Error("there is nothing behind the last \\");
        int letter = text[at++];
        switch (letter)
        {
            case 'd':
                return CharacterSets.Digit;
            case 'D':
                return CharacterSets.Digit.Inverted();
            case 's':
                return CharacterSets.Space;
            case 'S':
                return CharacterSets.Space.Inverted();
            case 'w':
                return inClass ? CharacterSets.WordInClass : CharacterSets.Word;
            case 'W':
                return (inClass ? CharacterSets.WordInClass : CharacterSets.Word).Inverted();
            case 'h':
                return CharacterSets.HexDigit;
            case 'H':
                return CharacterSets.HexDigit.Inverted();
            case 'p' or 'P':
                return Property(isInverted: letter == 'P');
            default:
                at--;
                return inClass && Take('b') ? CharacterSets.Of('\b') : null;
        }
    }

    private CharacterSet Property(bool isInverted)
    {
        if (!Take('{'))
            throw Error("\\p is not followed by {");
        isInverted ^= Take('^');
        int start = at;
        while (!AtEnd && text[at] != '}')
            at++;
        string name = Text(start, at);
        if (!Take('}'))
            throw Error("\\p{ has no }");
        CharacterSet set = CharacterSets.Property(name) ?? throw Error($"\\p{{{name}}} is not known");
        return isInverted ? set.Inverted() : set;
    }

    private int EscapedCharacter()
    {
        int letter = text[at++];
        switch (letter)
        {
            case 't':
                return '\t';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 'f':
                return '\f';
            case 'v':
                return '\v';
            case 'a':
                return '\a';
            case 'e':
                return 0x1B;
            case 'u':
                return Hex(4, 4);
            case 'x':
                if (!Take('{'))
                    return Hex(1, 2) is < 0x80 and int value ? value : throw Error("\\x of a byte above 7F is not known");
                int codePoint = Hex(1, 8);
                return Take('}') && Rune.IsValid(codePoint) ? codePoint : throw Error("\\x{ is no character");
            default:
                if (letter < 0x80 && char.IsAsciiLetterOrDigit((char)letter))
                    throw Error($"\\{(char)letter} is not known");
                return letter;
        }
    }

    private int Hex(int least, int most)
    {
        int start = at;
        while (at < text.Length && at - start < most && text[at] < 0x80 && char.IsAsciiHexDigit((char)text[at]))
            at++;
        return at - start >= least
            && int.TryParse(Text(start, at), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out int value) && value >= 0
            ? value : throw Error("a hexadecimal number is too short");
    }
}
