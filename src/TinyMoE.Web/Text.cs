using System.Text;

namespace TinyMoE.Web;

/// <summary>Texts of unknown origin, made fit for a message.</summary>
internal static class Text
{
    private const int Most = 100;

    /// <summary>The text without what breaks a line, and of a long one the beginning.</summary>
    public static string OneLine(string text)
    {
        StringBuilder line = new();
        foreach (Rune rune in text.EnumerateRunes())
        {
            if (line.Length >= Most)
                return line.Append("...").ToString();
            if (Rune.IsControl(rune))
                line.Append(' ');
            else
                line.Append(rune.ToString());
        }

        return line.ToString();
    }
}
