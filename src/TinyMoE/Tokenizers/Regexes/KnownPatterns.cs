namespace TinyMoE.Tokenizers.Regexes;

/// <summary>Well-known patterns that are matched by hand, recognised by their text to the letter.</summary>
internal static class KnownPatterns
{
    private static readonly Dictionary<string, IPattern> ByText = new(StringComparer.Ordinal)
    {
        [Gpt2Scanner.Pattern] = new Gpt2Scanner(),
        [Cl100kScanner.PatternOf("\\p{N}{1,3}")] = new Cl100kScanner(digits: 3),
        [Cl100kScanner.PatternOf("\\p{N}")] = new Cl100kScanner(digits: 1),
        [O200kScanner.Pattern] = new O200kScanner(),
        [DeepSeekPattern.Text] = new DeepSeekPattern(),
        [DeepSeekPattern.Text.Replace("\\r\\n", "\r\n", StringComparison.Ordinal)] = new DeepSeekPattern(), // as its file has it
    };

    /// <summary>Their texts.</summary>
    public static IEnumerable<string> All => ByText.Keys;

    /// <summary>The pattern of a text; null: it is not known.</summary>
    public static IPattern? Of(string text) => ByText.GetValueOrDefault(text);
}
