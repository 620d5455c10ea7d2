using TinyMoE.Tokenizers;

namespace TinyMoE.Generate;

/// <summary>Makes text of tokens as they come, up to a text that ends it; without a tokenizer there is none.</summary>
internal sealed class TextPieces(Tokenizer? tokenizer, IEnumerable<string> stopTexts)
{
    private readonly StopTexts stops = new(stopTexts);
    private readonly TokenDecoder? decoder = tokenizer?.NewDecoder();

    /// <summary>Whether a text to stop at came: nothing is text any more.</summary>
    public bool IsStopped => stops.Found;

    /// <summary>How many characters the tokens gave, those among them that are held back.</summary>
    public int Decoded { get; private set; }

    /// <summary>The text that is certain with this token, which may be empty.</summary>
    public string Push(int id) => decoder is null ? "" : Take(decoder.Push(id));

    /// <summary>What was held back, at the end of the tokens; bytes of a character that is incomplete are no text.</summary>
    public string Finish()
    {
        string last = stops.Found || decoder?.Flush().TrimEnd('\uFFFD') is not { Length: > 0 } certain ? "" : Take(certain);
        return last + stops.Flush();
    }

    private string Take(string text)
    {
        Decoded += text.Length;
        return stops.Push(text);
    }
}
