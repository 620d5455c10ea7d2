using System.Text;
using TinyMoE.Tokenizers;

namespace TinyMoE.Generate;

/// <summary>Why a generated text ended.</summary>
public enum GenerationEnd
{
    /// <summary>It has as many tokens as were asked for.</summary>
    Length,

    /// <summary>A stop token came.</summary>
    StopToken,

    /// <summary>The text contained a text to stop at.</summary>
    StopText,

    /// <summary>The caller ended it.</summary>
    Cancelled,
}

/// <summary>A text that was generated.</summary>
/// <param name="Ids">All tokens that were chosen, a stop token and those of a stop text among them.</param>
/// <param name="Text">Their text up to what ended it; bytes of a character that is incomplete at the end are no text.</param>
/// <param name="End">Why it ended.</param>
public sealed record GeneratedText(IReadOnlyList<int> Ids, string Text, GenerationEnd End);

/// <summary>
/// Writes text with a generator: decodes its tokens as they come, and ends at stop tokens and stop texts. Without a tokenizer there are
/// tokens, and no text.
/// </summary>
public sealed class TextGenerator(Generator generator, Tokenizer? tokenizer)
{
    /// <summary>Texts that end the text as soon as it contains them, across tokens too; they are not written.</summary>
    public IReadOnlyList<string> StopTexts { get; init; } = [];

    /// <summary>
    /// Writes after a prompt of at least one token, at most <paramref name="count"/> tokens. <paramref name="write"/> is called for every
    /// token with the text that is certain by then, which may be empty; on <paramref name="stop"/> it ends after the token in hand.
    /// </summary>
    /// <exception cref="TinyMoEException">The model computes what is not finite, or an id or an option is out of its range.</exception>
    public GeneratedText Write(
        IReadOnlyList<int> prompt, int count, SamplingOptions options, Action<string> write, CancellationToken stop = default)
    {
        TextPieces pieces = new(tokenizer, StopTexts);
        List<int> ids = [];
        StringBuilder text = new();
        GenerationEnd end = GenerationEnd.Length;
        foreach (int id in generator.Generate(prompt, count, options))
        {
            ids.Add(id);
            if (generator.StopTokens.Contains(id))
                end = GenerationEnd.StopToken;
            Tell(end == GenerationEnd.StopToken ? "" : pieces.Push(id));
            if (pieces.IsStopped)
                end = GenerationEnd.StopText;
            else if (end == GenerationEnd.Length && stop.IsCancellationRequested)
                end = GenerationEnd.Cancelled;
            if (end != GenerationEnd.Length)
                break;
        }

        if (pieces.Finish() is { Length: > 0 } rest)
            Tell(rest);
        return new GeneratedText(ids, text.ToString(), end);

        void Tell(string piece)
        {
            text.Append(piece);
            write(piece);
        }
    }
}
