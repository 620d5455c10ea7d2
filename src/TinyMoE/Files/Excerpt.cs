using System.Globalization;
using System.Text;

namespace TinyMoE.Files;

/// <summary>Text of unknown origin, made fit for a message of one line.</summary>
internal static class Excerpt
{
    private const int Most = 100;

    /// <summary>
    /// The text with a question mark for what would break the line or cannot be shown, and of a long one only the beginning and "...".
    /// </summary>
    public static string Of(string text, int most = Most)
    {
        StringBuilder shown = new();
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (shown.Length >= most)
                return shown.Append("...").ToString();
            bool isShown = Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control or UnicodeCategory.Format
                or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator);
            if (isShown)
                shown.Append(rune);
            else
                shown.Append('?');
        }

        return shown.ToString();
    }
}
