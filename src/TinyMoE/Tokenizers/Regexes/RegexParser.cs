using System.Text;

namespace TinyMoE.Tokenizers.Regexes;

/// <summary>
/// Reads a regular expression in the syntax of Oniguruma, which Hugging Face's library uses: <c>^</c> and <c>$</c> are of lines,
/// <c>{2}+</c>
/// is a repetition of a repetition, classes nest.
/// </summary>
internal sealed partial class RegexParser
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
