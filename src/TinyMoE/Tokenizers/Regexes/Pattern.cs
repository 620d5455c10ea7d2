namespace TinyMoE.Tokenizers.Regexes;

/// <summary>A regular expression as Oniguruma reads it.</summary>
internal static class Pattern
{
    /// <summary>The pattern of an expression.</summary>
    /// <exception cref="FormatException">It is none, or has what TinyMoE does not know; the message goes on after "in which".</exception>
    public static IPattern Parse(string expression) => throw new FormatException("a construct is not known");
}
