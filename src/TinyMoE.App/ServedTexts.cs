using System.Threading.Channels;
using TinyMoE.Generate;

namespace TinyMoE.App;

/// <summary>A text that a <see cref="Serving"/> is to write.</summary>
public sealed record TextRequest
{
    /// <summary>The ids to go on from, at least one.</summary>
    public required IReadOnlyList<int> Prompt { get; init; }

    /// <summary>Tokens to write at most; 0: none, for the log-probabilities of the prompt alone (see <see cref="Echo"/>).</summary>
    public required int Tokens { get; init; }

    /// <summary>Settings for drawing tokens.</summary>
    public SamplingOptions Sampling { get; init; } = new();

    /// <summary>Texts that end the text, beside those of the model; they are not written.</summary>
    public IReadOnlyList<string> StopTexts { get; init; } = [];

    /// <summary>Whether tokens come with log-probabilities, and with how many likely ones beside them (0: none); null: without.</summary>
    public int? Alternatives { get; init; }

    /// <summary>What the text begins with before the first new token, given with the first piece: the prompt; null: nothing.</summary>
    public string? Echo { get; init; }

    /// <summary>The label to write by, which models of router task need and no others know; null: none.</summary>
    public string? Label { get; init; }
}

/// <summary>A token of a text that is served.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Offset">The characters of the text before it.</param>
/// <param name="LogProbability">To the base e; null where nobody asks, and of the first of a prompt, which nothing comes before.</param>
/// <param name="Alternatives">The likeliest in its place, likeliest first; null as above.</param>
public readonly record struct ServedToken(
    int Id, int Offset, double? LogProbability = null, IReadOnlyList<TokenAlternative>? Alternatives = null);

/// <summary>A piece of one of several texts.</summary>
/// <param name="Index">Which text, from 0.</param>
/// <param name="Text">The text that is certain by now and was not given before, which may be empty.</param>
/// <param name="Tokens">The tokens that it is of, and those that are no text; what ended the text is not among them.</param>
/// <param name="End">Why the text ended, with its last piece; null: it goes on.</param>
public sealed record TextPiece(int Index, string Text, IReadOnlyList<ServedToken> Tokens, GenerationEnd? End = null);

/// <summary>What a text took.</summary>
/// <param name="PromptTokens">Tokens of its prompt.</param>
/// <param name="Tokens">Tokens that were chosen.</param>
/// <param name="Waited">From the request to the first token; null: there was none.</param>
/// <param name="Wrote">From the first token to the last.</param>
/// <param name="End">Why it ended; null: it failed.</param>
public sealed record ServedTiming(int PromptTokens, int Tokens, TimeSpan? Waited, TimeSpan Wrote, GenerationEnd? End);

/// <summary>The requests are as many as a <see cref="Serving"/> takes: try again later.</summary>
public sealed class ServingBusyException : TinyMoEException
{
    internal ServingBusyException(string message)
        : base(message)
    {
    }
}

/// <summary>Texts that are written for one who asks; whoever asks disposes of them, which ends those that are not over.</summary>
public sealed class ServedTexts : IDisposable
{
    private readonly Channel<TextPiece> pieces = Channel.CreateUnbounded<TextPiece>(new UnboundedChannelOptions { SingleReader = true });
    private readonly ServedText[] texts;
    private readonly List<TextPiece>[]? kept; // of each text, until it is whole; null: pieces are told as they come
    private int open;

    internal ServedTexts(
        IReadOnlyList<TextRequest> requests, bool inPieces, Func<TextRequest, int, ServedTexts, ServedText> start)
    {
        open = requests.Count;
        kept = inPieces ? null : [.. requests.Select(_ => new List<TextPiece>())];
        texts = [.. requests.Select((request, index) => start(request, index, this))];
    }

    /// <summary>Tokens of all prompts; a prompt that several texts go on from counts for each.</summary>
    public int PromptTokens => texts.Sum(text => text.Request.Prompt.Count);

    /// <summary>Tokens that were chosen by now, those that ended texts among them.</summary>
    public int Tokens => texts.Sum(text => text.Chosen);

    internal IReadOnlyList<ServedText> All => texts;

    /// <summary>The pieces of all texts as they come, or whole texts; each text's last says why it ended.</summary>
    /// <exception cref="TinyMoEException">A text cannot be written: its one line.</exception>
    public IAsyncEnumerable<TextPiece> ReadAsync(CancellationToken stop = default) => pieces.Reader.ReadAllAsync(stop);

    /// <summary>Ends the texts that are not over; their slots are free within a step.</summary>
    public void Dispose()
    {
        foreach (ServedText text in texts)
            text.Cancel();
    }

    internal void Tell(TextPiece piece)
    {
        if (kept is not null)
        {
            kept[piece.Index].Add(piece);
            if (piece.End is null)
                return; // nobody is woken for it
            piece = Joined(kept[piece.Index]);
        }

        pieces.Writer.TryWrite(piece);
        if (piece.End is not null && Interlocked.Decrement(ref open) == 0)
            pieces.Writer.TryComplete();
    }

    private static TextPiece Joined(List<TextPiece> parts) => parts[^1] with
    {
        Text = string.Concat(parts.Select(part => part.Text)),
        Tokens = [.. parts.SelectMany(part => part.Tokens)],
    };

    internal void Fail(TinyMoEException failure)
    {
        pieces.Writer.TryComplete(failure);
        Dispose();
    }
}
