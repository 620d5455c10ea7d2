namespace TinyMoE.Configuration;

/// <summary>What a person may have meant by a word nobody knows.</summary>
internal static class Nearest
{
    /// <summary>Longer words were never meant for one of ours, and comparing them takes the square of their length.</summary>
    private const int LongestWord = 64;

    /// <summary>The end of an error message: "; did you mean 'x'?", or nothing where no known word is near.</summary>
    public static string Hint(string word, IEnumerable<string> known) => To(word, known) is { } near ? $"; did you mean '{near}'?" : "";

    /// <summary>The known word with the fewest typing errors between, or null where even that one is far.</summary>
    public static string? To(string word, IEnumerable<string> known)
    {
        if (word.Length > LongestWord)
            return null;
        string? nearest = null;
        int least = int.MaxValue;
        foreach (string candidate in known)
        {
            int errors = Errors(word, candidate);
            if (errors < least && errors <= Math.Max(word.Length, candidate.Length) / 3)
                (nearest, least) = (candidate, errors);
        }
        return nearest;
    }

    /// <summary>
    /// Typing errors between two words; one for a missing ending or a missing or wrong group ("width", "train.width" for "model.width").
    /// </summary>
    private static int Errors(string word, string candidate)
    {
        int errors = Distance(word, candidate);
        if (word.Length >= 3 && candidate.StartsWith(word, StringComparison.Ordinal))
            errors = Math.Min(errors, 1);
        if (candidate.Contains('.', StringComparison.Ordinal))
            errors = Math.Min(errors, 1 + Distance(LastPart(word), LastPart(candidate)));
        return errors;
    }

    private static string LastPart(string path) => path[(path.LastIndexOf('.') + 1)..];

    /// <summary>
    /// Insertions, deletions, substitutions and swaps of neighbours that make one word of the other (optimal string alignment).
    /// </summary>
    private static int Distance(string a, string b)
    {
        int[,] d = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            for (int j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    d[i, j] = i + j;
                    continue;
                }
                int substitution = a[i - 1] == b[j - 1] ? 0 : 1;
                d[i, j] = Math.Min(Math.Min(d[i - 1, j], d[i, j - 1]) + 1, d[i - 1, j - 1] + substitution);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
            }
        }
        return d[a.Length, b.Length];
    }
}
