using System.Globalization;
using System.Text;

namespace TinyMoE.Tokenizers.Regexes;

/// <summary>
/// Reads a regular expression in the syntax of Oniguruma, which Hugging Face's library uses: <c>^</c> and <c>$</c> are of lines, <c>{2}+</c>
/// is a repetition of a repetition, classes nest.
/// </summary>
internal sealed class RegexParser
{
    private const int LongestRepeat = 1000, Deepest = 100;

    // Letters that other single characters are the same as when case does not count: ß is ss.
    private static readonly string[] Ligatures = ["ss", "ff", "fi", "fl", "st"];

    private readonly int[] text;
    private int at, depth;
    private bool ignoresCase, dotIsAll;

    private RegexParser(string expression) => text = [.. expression.EnumerateRunes().Select(rune => rune.Value)];

    /// <summary>The parts of an expression.</summary>
    /// <exception cref="FormatException">It is none, or has what is not known here.</exception>
    public static RegexNode Parse(string expression)
    {
        RegexParser parser = new(expression);
        RegexNode node = parser.Either();
        return parser.at == parser.text.Length ? node : throw parser.Error("a ) has no (");
    }

    private bool AtEnd => at == text.Length;

    private RegexNode Either()
    {
        if (++depth > Deepest)
            throw Error($"there are more than {Deepest} groups in each other");
        (bool outerCase, bool outerDot) = (ignoresCase, dotIsAll); // (?i) counts up to the end of its group
        List<RegexNode> parts = [Sequence()];
        while (Take('|'))
            parts.Add(Sequence());
        (ignoresCase, dotIsAll) = (outerCase, outerDot);
        depth--;
        return parts.Count == 1 ? parts[0] : new RegexNode.Either(parts);
    }

    private RegexNode.Sequence Sequence()
    {
        List<RegexNode> parts = [];
        int previous = -1; // the letter before, where case does not count
        while (!AtEnd && text[at] is not ('|' or ')'))
        {
            int first = text[at];
            RegexNode? part = Part();
            if (part == null)
                continue;
            int letter = ignoresCase && first < 0x80 && char.IsAsciiLetter((char)first) && part is RegexNode.One ? first | 0x20 : -1;
            if (previous >= 0 && letter >= 0 && Ligatures.Contains($"{(char)previous}{(char)letter}"))
                throw Error($"'{(char)previous}{(char)letter}' where case does not count, which other characters are too, is not known");
            RegexNode repeated = Repeats(part);
            previous = ReferenceEquals(part, repeated) ? letter : -1;
            parts.Add(repeated);
        }

        return new RegexNode.Sequence(parts);
    }

    // One part without its repetition; null: a setting or a comment.
    private RegexNode? Part()
    {
        int first = text[at++];
        switch (first)
        {
            case '(':
                return Group();
            case '[':
                return new RegexNode.One(Class());
            case '.':
                return new RegexNode.One(dotIsAll ? CharacterSets.Any : CharacterSets.Dot);
            case '^':
                return new RegexNode.Anchor(AnchorKind.LineStart);
            case '$':
                return new RegexNode.Anchor(AnchorKind.LineEnd);
            case '*' or '+' or '?':
                throw Error($"there is nothing before {(char)first} to repeat");
            case '\\':
                if (!AtEnd && AnchorOf(text[at]) is { } anchor)
                {
                    at++;
                    return new RegexNode.Anchor(anchor);
                }

                return new RegexNode.One(Escape(inClass: false) ?? WithCases(CharacterSets.Of(EscapedCharacter())));
            default:
                return new RegexNode.One(WithCases(CharacterSets.Of(first)));
        }
    }

    private CharacterSet WithCases(CharacterSet set) => ignoresCase ? set.WithCases() : set;

    private RegexNode? Group()
    {
        if (!Take('?'))
            return Closed(Either());
        if (Take(':'))
            return Closed(Either());
        if (Take('>'))
            return new RegexNode.Atomic(Closed(Either()));
        if (Take('='))
            return new RegexNode.Look(Closed(Either()), IsBehind: false, IsNot: false);
        if (Take('!'))
            return new RegexNode.Look(Closed(Either()), IsBehind: false, IsNot: true);
        if (Take('#'))
        {
            while (!AtEnd && text[at] != ')')
                at++;
            Close();
            return null;
        }

        if (Take('<'))
        {
            if (Take('='))
                return Behind(isNot: false);
            if (Take('!'))
                return Behind(isNot: true);
            while (!AtEnd && text[at] != '>')
                at++;
            return Take('>') ? Closed(Either()) : throw Error("the name of a group has no end");
        }

        return Settings();
    }

    private RegexNode.Look Behind(bool isNot)
    {
        RegexNode part = Closed(Either());
        return part.Length.Most is >= 0 and < LongestRepeat ? new RegexNode.Look(part, IsBehind: true, isNot)
            : throw Error("a look behind has no longest length");
    }

    // (?i), (?m) and (?i:...), with - before what is switched off; m is what others call s.
    private RegexNode? Settings()
    {
        (bool outerCase, bool outerDot) = (ignoresCase, dotIsAll);
        bool isOn = true;
        for (; !AtEnd && text[at] is not (')' or ':'); at++)
        {
            switch (text[at])
            {
                case '-':
                    isOn = false;
                    break;
                case 'i':
                    ignoresCase = isOn;
                    break;
                case 'm':
                    dotIsAll = isOn;
                    break;
                default:
                    throw Error($"(?{new Rune(text[at])} is not known");
            }
        }

        if (Take(')'))
        {
            // The rest of the group, alternatives too, is under the new setting.
            RegexNode rest = Either();
            return rest;
        }

        if (!Take(':'))
            throw Error("a ( has no )");
        RegexNode node = Closed(Either());
        (ignoresCase, dotIsAll) = (outerCase, outerDot);
        return node;
    }

    private RegexNode Closed(RegexNode node)
    {
        Close();
        return node;
    }

    private void Close()
    {
        if (!Take(')'))
            throw Error("a ( has no )");
    }

    private RegexNode Repeats(RegexNode part)
    {
        for (int times = 0; ; times++)
        {
            if (times > 4)
                throw Error("a repetition is repeated again and again");
            if (Interval() is { } interval)
            {
                // {2}? is "twice or not at all", and {1,2}+ a repetition of a repetition.
                bool isLazy = interval.Least != interval.Most && Take('?');
                part = new RegexNode.Repeat(part, interval.Least, interval.Most, isLazy);
                continue;
            }

            if (AtEnd || text[at] is not ('*' or '+' or '?'))
                return part;
            int sign = text[at++];
            bool lazy = Take('?'), possessive = !lazy && Take('+');
            part = new RegexNode.Repeat(part, sign == '+' ? 1 : 0, sign == '?' ? 1 : -1, lazy);
            if (possessive)
                part = new RegexNode.Atomic(part);
        }
    }

    // {n}, {n,}, {,m} and {n,m}; null: there is none, and { is a character.
    private (int Least, int Most)? Interval()
    {
        int start = at;
        if (!Take('{'))
            return null;
        int? least = Number();
        bool hasComma = Take(',');
        int? most = hasComma ? Number() : least;
        if ((least == null && most == null) || !Take('}'))
        {
            at = start;
            return null;
        }

        (int low, int high) = (least ?? 0, most ?? -1);
        if (low > LongestRepeat || high > LongestRepeat || (high >= 0 && low > high))
            throw Error($"a repetition is not from {low} to {high} times, at most {LongestRepeat}");
        return (low, high);
    }

    private int? Number()
    {
        int? number = null;
        for (; !AtEnd && text[at] is >= '0' and <= '9'; at++)
            number = Math.Min(1_000_000, ((number ?? 0) * 10) + text[at] - '0');
        return number;
    }

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

    private static AnchorKind? AnchorOf(int letter) => letter switch
    {
        'A' => AnchorKind.TextStart,
        'z' => AnchorKind.TextEnd,
        'Z' => AnchorKind.LastLineEnd,
        'b' => AnchorKind.WordEdge,
        'B' => AnchorKind.NoWordEdge,
        _ => null,
    };

    private string Text(int from, int to) => string.Concat(text[from..to].Select(value => new Rune(value)));

    private bool Take(int character)
    {
        bool isThere = !AtEnd && text[at] == character;
        at += isThere ? 1 : 0;
        return isThere;
    }

    private FormatException Error(string what) => new($"{what} (at character {at})");
}
