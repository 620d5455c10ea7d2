using System.Numerics;

namespace TinyMoE.Tokenizers.Chat;

/// <summary>Reads a whole number as Python's int() does: with a sign, underscores between digits, and in a base.</summary>
internal static class WholeText
{
    private const int MostDigits = 1000;

    /// <summary>Reads a text in a base from 2 to 36, or in what its prefix says where the base is 0.</summary>
    public static bool TryRead(string text, int radix, out BigInteger value)
    {
        value = 0;
        string digits = PythonText.Strip(text, null).ToLowerInvariant();
        bool negative = digits.StartsWith('-');
        digits = digits.Length > 0 && digits[0] is '-' or '+' ? digits[1..] : digits;
        int said = digits.Length > 2 && digits[0] == '0' ? digits[1] switch { 'x' => 16, 'o' => 8, 'b' => 2, _ => 0 } : 0;
        if (said != 0 && (radix == said || radix == 0))
            (digits, radix) = (digits[2..].TrimStart('_'), said);
        radix = radix == 0 ? 10 : radix;
        if (digits.Length is 0 or > MostDigits || radix is < 2 or > 36 || digits[0] == '_' || digits[^1] == '_'
            || digits.Contains("__", StringComparison.Ordinal))
            return false;
        foreach (char c in digits.Where(c => c != '_'))
        {
            int digit = char.IsAsciiDigit(c) ? c - '0' : char.IsAsciiLetterLower(c) ? c - 'a' + 10 : radix;
            if (digit >= radix)
                return false;
            value = (value * radix) + digit;
        }

        value = negative ? -value : value;
        return true;
    }
}
