using System.Diagnostics;
using System.Text.Json.Nodes;
using TinyMoE.App;
using TinyMoE.Generate;

namespace TinyMoE.Web.View;

/// <summary>A piece of a text as it came.</summary>
/// <param name="Text">The text.</param>
/// <param name="Probability">What the model gave its last token, from 0 to 1; null: nobody knows.</param>
/// <param name="Ids">Its tokens; none of what was typed.</param>
internal sealed record WrittenPiece(string Text, double? Probability, IReadOnlyList<int> Ids);

/// <summary>One side's turn.</summary>
/// <param name="Role">"user", "assistant", or "text" of a completion.</param>
internal sealed record Turn(string Role)
{
    /// <summary>What was said, piece by piece.</summary>
    public List<WrittenPiece> Pieces { get; } = [];

    /// <summary>Why it ended; null: it goes on, or was typed.</summary>
    public string? End { get; set; }

    /// <summary>The ids that the model went on from, of what it wrote; null: it was typed.</summary>
    public IReadOnlyList<int>? After { get; init; }

    /// <summary>What a template wrote before and after the text that this answers; null: there is no template.</summary>
    public (string Before, string After)? Around { get; init; }

    /// <summary>The number of each mixture's layer, where it was followed through the model; null: it was not.</summary>
    public int[]? Layers { get; private set; }

    /// <summary>Its text with the experts of each part, where it was followed; null: it was not, or the tokens do not say it.</summary>
    public IReadOnlyList<FollowedPart>? Followed { get; private set; }

    /// <summary>All ids, up to the end of what the model wrote.</summary>
    public int[] Ids => [.. After ?? [], .. Pieces.SelectMany(piece => piece.Ids)];

    /// <summary>Takes the experts of what was written, and of what was typed before it, from a trace of <see cref="Ids"/>.</summary>
    public void Take(TracedText traced, Turn typed, Func<int, byte[]> bytesOf)
    {
        int at = After?.Count ?? 0;
        List<FollowedPart> parts = [];
        foreach (WrittenPiece piece in Pieces)
        {
            at += piece.Ids.Count;
            parts.Add(new FollowedPart(piece.Text, piece.Ids.Count > 0 ? TopOf(at - 1) : []));
        }

        (Layers, Followed) = (traced.Layers, parts);
        byte[][] tokens = [.. (After ?? []).Select(bytesOf)];
        typed.Followed = FollowedText.Find(typed.Text, Around, tokens, TopOf);

        int?[] TopOf(int token) => [.. traced.Layers.Select((_, mixture) => traced.Tokens[token].Top(mixture))];
    }

    /// <summary>All of it.</summary>
    public string Text => string.Concat(Pieces.Select(piece => piece.Text));
}

/// <summary>A conversation or a completion with a model that is served: what was said, and one text at a time that comes.</summary>
internal sealed class Talk
{
    /// <summary>Characters of what is typed at most.</summary>
    public const int MostCharacters = 100_000;

    /// <summary>What was said, in order.</summary>
    public List<Turn> Turns { get; } = [];

    /// <summary>The tokens per second of the last text; null before the first.</summary>
    public double? Speed { get; private set; }

    /// <summary>
    /// Lets the model answer, or go on with a text; <paramref name="told"/> is called with the first piece, and then as often as is seen.
    /// </summary>
    /// <exception cref="TinyMoEException">The text or a setting cannot be used, or the model is busy.</exception>
    public async Task SayAsync(
        Serving serving, string text, bool isChat, SamplingOptions sampling, int tokens, Func<Task> told, CancellationToken stop)
    {
        if (text.Length > MostCharacters)
            throw new TinyMoEException($"The text has {text.Length} characters; a page takes {MostCharacters} at most.");
        sampling.Validate();
        if (!isChat)
            Turns.Clear();
        int before = Turns.Count;
        Turns.Add(Typed(isChat ? "user" : "text", text));
        IReadOnlyList<int> prompt = [];
        using ServedTexts texts = StartOrTakeBack(() => serving.Start(new TextRequest
        {
            Prompt = prompt = isChat ? serving.EncodeChat(Messages()) : serving.Encode(text),
            Tokens = tokens,
            Sampling = sampling,
            Alternatives = 0,
        }), before);
        Turn answer = new(isChat ? "assistant" : "text") { After = prompt, Around = isChat ? AroundLast(serving) : null };
        Turns.Add(answer);
        long began = Stopwatch.GetTimestamp(), shown = began;
        try
        {
            await foreach (TextPiece piece in texts.ReadAsync(stop))
            {
                double? log = piece.Tokens.Count > 0 ? piece.Tokens[^1].LogProbability : null;
                if (piece.Text.Length > 0 || piece.Tokens.Count > 0)
                {
                    IReadOnlyList<int> ids = [.. piece.Tokens.Select(token => token.Id)];
                    answer.Pieces.Add(new WrittenPiece(piece.Text, log is { } said ? Math.Exp(said) : null, ids));
                }

                if (piece.End is { } end)
                    answer.End = Words(end);
                Speed = texts.Tokens / Stopwatch.GetElapsedTime(began).TotalSeconds;
                if (answer.Pieces.Count > 1 && Stopwatch.GetElapsedTime(shown) < PauseAfter(answer.Pieces.Count))
                    continue;
                await told();
                shown = Stopwatch.GetTimestamp();
                await Task.Yield(); // pieces that wait already do not go before a button that was pressed
                stop.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException)
        {
            answer.End = "stopped";
        }
    }

    /// <summary>
    /// The time from one drawing to the next. A small model writes thousands of tokens per second, and a long text takes long to draw: a
    /// page that did nothing else would have no time for its buttons.
    /// </summary>
    private static TimeSpan PauseAfter(int pieces) => TimeSpan.FromMilliseconds(33 + (pieces / 20));

    /// <summary>Takes the experts of an answer, and of what it answers, from a trace of the answer's ids.</summary>
    public void Take(Turn answer, TracedText traced, Serving serving)
    {
        int at = Turns.IndexOf(answer);
        if (at > 0) // else the conversation was begun anew meanwhile
            answer.Take(traced, Turns[at - 1], id => serving.Token(id).Bytes);
    }

    /// <summary>
    /// What the template writes around what was typed last. Where it does not write that, or refuses it with the marks that find it, the
    /// place is not known: texts that no prompt has, so that what was typed stays without experts.
    /// </summary>
    private (string Before, string After) AroundLast(Serving serving)
    {
        (string, string) nowhere = ("\0", "\0");
        try
        {
            return serving.AroundLast(Messages()) ?? nowhere;
        }
        catch (TinyMoEException)
        {
            return nowhere;
        }
    }

    private ServedTexts StartOrTakeBack(Func<ServedTexts> start, int before)
    {
        try
        {
            return start();
        }
        catch
        {
            Turns.RemoveRange(before, Turns.Count - before);
            throw;
        }
    }

    private JsonArray Messages() =>
        [.. Turns.Select(turn => (JsonNode)new JsonObject { ["role"] = turn.Role, ["content"] = turn.Text })];

    private static Turn Typed(string role, string text)
    {
        Turn turn = new(role);
        turn.Pieces.Add(new WrittenPiece(text, null, []));
        return turn;
    }

    private static string Words(GenerationEnd end) => end switch
    {
        GenerationEnd.StopText or GenerationEnd.StopToken => "the model ended it",
        GenerationEnd.Cancelled => "stopped",
        _ => "as many tokens as were asked for",
    };
}
