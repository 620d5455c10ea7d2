using System.Globalization;

namespace TinyMoE.Tokenizers.Regexes;

/// <summary>The sets of code points that have a name in patterns.</summary>
internal static class CharacterSets
{
    /// <summary><c>.</c>: all but the line feed.</summary>
    public static CharacterSet Dot { get; } = new(codePoint => codePoint != '\n');

    /// <summary>All.</summary>
    public static CharacterSet Any { get; } = new(_ => true);

    /// <summary><c>\w</c>; to Oniguruma ² ³ ¹ ¼ ½ ¾ are of it too.</summary>
    public static CharacterSet Word { get; } =
        new(codePoint => Unicode.IsWord(codePoint) || codePoint is 0xB2 or 0xB3 or 0xB9 or (>= 0xBC and <= 0xBE));

    /// <summary><c>\w</c> inside of a class, where they are not.</summary>
    public static CharacterSet WordInClass { get; } = new(Unicode.IsWord);

    /// <summary><c>\s</c>.</summary>
    public static CharacterSet Space { get; } = new(Unicode.IsSpace);

    /// <summary><c>\d</c>.</summary>
    public static CharacterSet Digit { get; } = new(codePoint => Unicode.CategoryOf(codePoint) == UnicodeCategory.DecimalDigitNumber);

    /// <summary><c>\h</c>: a hexadecimal digit.</summary>
    public static CharacterSet HexDigit { get; } = new(codePoint => codePoint < 0x80 && char.IsAsciiHexDigit((char)codePoint));

    private static readonly string[] Categories =
        ["Lu", "Ll", "Lt", "Lm", "Lo", "Mn", "Mc", "Me", "Nd", "Nl", "No", "Zs", "Zl", "Zp", "Cc", "Cf", "Cs", "Co", "Pc", "Pd", "Ps", "Pe",
            "Pi", "Pf", "Po", "Sm", "Sc", "Sk", "So", "Cn"]; // in the order of UnicodeCategory

    private static readonly Dictionary<string, string> LongNames = new()
    {
        ["letter"] = "l", ["uppercaseletter"] = "lu", ["lowercaseletter"] = "ll", ["titlecaseletter"] = "lt", ["modifierletter"] = "lm",
        ["otherletter"] = "lo", ["mark"] = "m", ["nonspacingmark"] = "mn", ["spacingmark"] = "mc", ["enclosingmark"] = "me",
        ["number"] = "n", ["decimalnumber"] = "nd", ["letternumber"] = "nl", ["othernumber"] = "no", ["separator"] = "z",
        ["spaceseparator"] = "zs", ["lineseparator"] = "zl", ["paragraphseparator"] = "zp", ["punctuation"] = "p", ["symbol"] = "s",
        ["connectorpunctuation"] = "pc", ["dashpunctuation"] = "pd", ["openpunctuation"] = "ps", ["closepunctuation"] = "pe",
        ["initialpunctuation"] = "pi", ["finalpunctuation"] = "pf", ["otherpunctuation"] = "po", ["mathsymbol"] = "sm",
        ["currencysymbol"] = "sc", ["modifiersymbol"] = "sk", ["othersymbol"] = "so", ["other"] = "c", ["control"] = "cc",
        ["format"] = "cf", ["surrogate"] = "cs", ["privateuse"] = "co", ["unassigned"] = "cn",
    };

    private static readonly int[] Han =
    [
        0x2E80, 0x2E99, 0x2E9B, 0x2EF3, 0x2F00, 0x2FD5, 0x3005, 0x3005, 0x3007, 0x3007, 0x3021, 0x3029, 0x3038, 0x303B, 0x3400, 0x4DBF,
        0x4E00, 0x9FFF, 0xF900, 0xFA6D, 0xFA70, 0xFAD9, 0x16FE2, 0x16FE3, 0x16FF0, 0x16FF1, 0x20000, 0x2A6DF, 0x2A700, 0x2B739, 0x2B740,
        0x2B81D, 0x2B820, 0x2CEA1, 0x2CEB0, 0x2EBE0, 0x2EBF0, 0x2EE5D, 0x2F800, 0x2FA1D, 0x30000, 0x3134A, 0x31350, 0x323AF,
    ];

    private static readonly int[] Hiragana =
        [0x3041, 0x3096, 0x309D, 0x309F, 0x1B001, 0x1B11F, 0x1B132, 0x1B132, 0x1B150, 0x1B152, 0x1F200, 0x1F200];

    private static readonly int[] Katakana =
    [
        0x30A1, 0x30FA, 0x30FD, 0x30FF, 0x31F0, 0x31FF, 0x32D0, 0x32FE, 0x3300, 0x3357, 0xFF66, 0xFF6F, 0xFF71, 0xFF9D, 0x1AFF0, 0x1AFF3,
        0x1AFF5, 0x1AFFB, 0x1AFFD, 0x1AFFE, 0x1B000, 0x1B000, 0x1B120, 0x1B122, 0x1B155, 0x1B155, 0x1B164, 0x1B167,
    ];

    private static readonly int[] Hangul =
    [
        0x1100, 0x11FF, 0x302E, 0x302F, 0x3131, 0x318E, 0x3200, 0x321E, 0x3260, 0x327E, 0xA960, 0xA97C, 0xAC00, 0xD7A3, 0xD7B0, 0xD7C6,
        0xD7CB, 0xD7FB, 0xFFA0, 0xFFBE, 0xFFC2, 0xFFC7, 0xFFCA, 0xFFCF, 0xFFD2, 0xFFD7, 0xFFDA, 0xFFDC,
    ];

    private static readonly Dictionary<string, Func<int, bool>> Properties = new()
    {
        ["any"] = _ => true,
        ["ascii"] = codePoint => codePoint < 0x80,
        ["whitespace"] = Unicode.IsSpace,
        ["space"] = Unicode.IsSpace,
        ["word"] = codePoint => Word.Contains(codePoint),
        ["digit"] = codePoint => Digit.Contains(codePoint),
        ["xdigit"] = codePoint => HexDigit.Contains(codePoint),
        ["assigned"] = codePoint => Unicode.CategoryOf(codePoint) != UnicodeCategory.OtherNotAssigned,
        ["han"] = codePoint => In(Han, codePoint),
        ["hiragana"] = codePoint => In(Hiragana, codePoint),
        ["katakana"] = codePoint => In(Katakana, codePoint),
        ["hangul"] = codePoint => In(Hangul, codePoint),
    };

    /// <summary>The set of one code point.</summary>
    public static CharacterSet Of(int codePoint) => new(other => other == codePoint);

    /// <summary>What is in one of many.</summary>
    public static CharacterSet AnyOf(IReadOnlyList<CharacterSet> sets)
    {
        CharacterSet[] all = [.. sets];
        return new CharacterSet(codePoint => Array.Exists(all, set => set.Contains(codePoint)));
    }

    /// <summary>The set from one code point to another.</summary>
    public static CharacterSet Range(int first, int last) => new(codePoint => codePoint >= first && codePoint <= last);

    /// <summary>The set of a property, as <c>\p{Lu}</c> names it; null: it is not known.</summary>
    public static CharacterSet? Property(string name)
    {
        string plain = string.Concat(name.Where(character => character is not (' ' or '_' or '-'))).ToLowerInvariant();
        if (Properties.TryGetValue(plain, out Func<int, bool>? test))
            return new CharacterSet(test);
        string category = LongNames.GetValueOrDefault(plain, plain);
        bool[] counts = [.. Categories.Select(known => known.StartsWith(category, StringComparison.OrdinalIgnoreCase))];
        return category.Length is 1 or 2 && counts.Contains(true) ? new CharacterSet(codePoint => counts[(int)Unicode.CategoryOf(codePoint)]) : null;
    }

    /// <summary>The set of a bracket such as <c>[:space:]</c>; null: it is not known.</summary>
    public static CharacterSet? Bracket(string name) => name switch
    {
        "digit" or "space" or "xdigit" or "word" or "ascii" => Property(name),
        "cntrl" => Property("cc"),
        "blank" => new CharacterSet(codePoint => codePoint == '\t' || Unicode.CategoryOf(codePoint) == UnicodeCategory.SpaceSeparator),
        _ => null,
    };

    private static bool In(int[] ranges, int codePoint)
    {
        for (int i = 0; i < ranges.Length; i += 2)
        {
            if (codePoint >= ranges[i] && codePoint <= ranges[i + 1])
                return true;
        }

        return false;
    }
}
