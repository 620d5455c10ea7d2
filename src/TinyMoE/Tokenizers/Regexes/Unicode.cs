using System.Globalization;
using System.Text;

namespace TinyMoE.Tokenizers.Regexes;

/// <summary>
/// What the patterns of tokenizers ask of a code point. .NET's own <c>\p{L}</c> sees UTF-16 units, so that nothing beyond the basic plane is
/// a letter to it; here every code point has its category, from a table of one byte each.
/// </summary>
internal static class Unicode
{
    /// <summary>Number of code points.</summary>
    public const int CodePoints = 0x110000;

    /// <summary>What bytes that are not UTF-8 read as.</summary>
    public const int Replacement = 0xFFFD;

    private const byte CategoryBits = 31, SpaceBit = 32;

    private static readonly byte[] Table = Build();

    /// <summary>Whether it has the property White_Space, which is <c>\s</c>.</summary>
    public static bool IsSpace(int codePoint) => (Table[codePoint] & SpaceBit) != 0;

    /// <summary>Its general category.</summary>
    public static UnicodeCategory CategoryOf(int codePoint) => (UnicodeCategory)(Table[codePoint] & CategoryBits);

    /// <summary>L: a letter.</summary>
    public static bool IsLetter(int codePoint) => (Table[codePoint] & CategoryBits) <= (int)UnicodeCategory.OtherLetter;

    /// <summary>M: a mark, which sits on the character before.</summary>
    public static bool IsMark(int codePoint) =>
        CategoryOf(codePoint) is >= UnicodeCategory.NonSpacingMark and <= UnicodeCategory.EnclosingMark;

    /// <summary>N: a number.</summary>
    public static bool IsNumber(int codePoint) =>
        CategoryOf(codePoint) is >= UnicodeCategory.DecimalDigitNumber and <= UnicodeCategory.OtherNumber;

    /// <summary>P: punctuation.</summary>
    public static bool IsPunctuation(int codePoint) =>
        CategoryOf(codePoint) is >= UnicodeCategory.ConnectorPunctuation and <= UnicodeCategory.OtherPunctuation;

    /// <summary>S: a symbol.</summary>
    public static bool IsSymbol(int codePoint) =>
        CategoryOf(codePoint) is >= UnicodeCategory.MathSymbol and <= UnicodeCategory.OtherSymbol;

    /// <summary><c>\w</c>: alphabetic, a mark, a decimal digit, or a connector such as the underscore.</summary>
    public static bool IsWord(int codePoint) => IsAlphabetic(codePoint)
        || CategoryOf(codePoint) is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.ConnectorPunctuation || IsMark(codePoint);

    /// <summary>A letter, a letter-like number, or one of the circled and squared letters among the symbols.</summary>
    public static bool IsAlphabetic(int codePoint) => IsLetter(codePoint)
        || CategoryOf(codePoint) == UnicodeCategory.LetterNumber
        || codePoint is (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169)
            or (>= 0x1F170 and <= 0x1F189);

    /// <summary>The one code point that all that differ in case only are compared by.</summary>
    public static int Fold(int codePoint) => codePoint switch
    {
        < 0x80 => codePoint is >= 'A' and <= 'Z' ? codePoint | 0x20 : codePoint,
        0x17F => 's',
        0x212A => 'k',
        0x212B => 0xE5,
        0x2126 => 0x3C9,
        0xB5 => 0x3BC,
        0x3C2 => 0x3C3,
        0x1E9E => 0xDF,
        _ => Rune.IsValid(codePoint) ? Rune.ToLowerInvariant(Rune.ToUpperInvariant(new Rune(codePoint))).Value : codePoint,
    };

    /// <summary>The code point at a place of a text in UTF-8, and how many bytes it has; a byte that is none reads as U+FFFD.</summary>
    public static int At(ReadOnlySpan<byte> utf8, int at, out int length)
    {
        byte first = utf8[at];
        if (first < 0x80)
        {
            length = 1;
            return first;
        }

        _ = Rune.DecodeFromUtf8(utf8[at..], out Rune rune, out length);
        return rune.Value;
    }

    /// <summary>Where the character before a place begins.</summary>
    public static int Before(ReadOnlySpan<byte> utf8, int at)
    {
        _ = Rune.DecodeLastFromUtf8(utf8[..at], out _, out int length);
        return at - Math.Max(1, length);
    }

    private static byte[] Build()
    {
        byte[] table = new byte[CodePoints];
        for (int codePoint = 0; codePoint < CodePoints; codePoint++)
            table[codePoint] = (byte)CharUnicodeInfo.GetUnicodeCategory(codePoint);
        int[] spaces = [0x20, 0x85, 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000];
        foreach (int space in spaces.Concat(Enumerable.Range(9, 5)).Concat(Enumerable.Range(0x2000, 11)))
            table[space] |= SpaceBit;
        return table;
    }
}
