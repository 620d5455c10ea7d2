using System.Text;
using TinyMoE.Files;
using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>Reads a pattern of a tokenizer.json: <c>{"String": "a"}</c> or <c>{"Regex": "a+"}</c>.</summary>
internal static class PatternJson
{
    /// <summary>The pattern, whether it is a text, and how many UTF-16 units that text has.</summary>
    public static (IPattern Pattern, bool IsLiteral, int Length) Read(JsonPart part)
    {
        part.KnowOnly("String", "Regex");
        if (part["String"].IsNull == part["Regex"].IsNull)
            throw part.Error($"is {part.Shown()}, not one of {{\"String\": ...}} and {{\"Regex\": ...}}");
        if (part["String"].TextOrNull() is { } text)
            return (new Literal(Encoding.UTF8.GetBytes(text)), true, text.Length);
        string regex = part["Regex"].Text();
        try
        {
            return (KnownPatterns.Of(regex) ?? Pattern.Parse(regex), false, 0);
        }
        catch (FormatException e)
        {
            throw part["Regex"].Error($"is '{Excerpt.Of(regex, 200)}', in which {e.Message}");
        }
    }
}
