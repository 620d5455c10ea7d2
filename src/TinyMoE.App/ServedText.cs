using System.Diagnostics;
using TinyMoE.Generate;
using TinyMoE.Tokenizers;

namespace TinyMoE.App;

/// <summary>
/// One text of a <see cref="Serving"/>: makes pieces of text of the tokens that its sequence has, on the thread that steps. A token is told
/// with the text that it begins, so that those of a text to stop at are not.
/// </summary>
internal sealed class ServedText(TextRequest request, int index, ServedTexts told, BatchSequence sequence, Tokenizer tokenizer)
{
    private readonly long asked = Stopwatch.GetTimestamp();
    private readonly TextPieces pieces = new(tokenizer, request.StopTexts);
    private readonly Queue<ServedToken> held = [];
    private int taken;       // tokens of the sequence, those of a scored prompt among them
    private int certain;     // characters of the text that were told, without the echo
    private bool hasEchoed;
    private long first, last;

    public TextRequest Request => request;

    /// <summary>Tokens that were chosen by now.</summary>
    public int Chosen { get; private set; }

    private int EchoedTokens => sequence.Request.Echo ? request.Prompt.Count : 0;

    private int Before => request.Echo?.Length ?? 0;

    public void Cancel() => sequence.Cancel();

    /// <summary>Tells what came since it was called before; gives what the text took when it is over, null while it goes on.</summary>
    public ServedTiming? Follow()
    {
        bool isOver = sequence.IsOver; // asked first: the tokens that are there by then are all
        foreach (BatchToken token in sequence.TokensFrom(taken))
        {
            Take(token);
            if (pieces.IsStopped)
                return End(GenerationEnd.StopText);
        }

        if (!isOver)
            return null;
        if (sequence.Failure is not { } failure)
            return End(sequence.End!.Value);
        told.Fail(failure);
        return Timing(null);
    }

    /// <summary>Ends it with an error.</summary>
    public ServedTiming Fail(TinyMoEException failure)
    {
        sequence.Cancel();
        told.Fail(failure);
        return Timing(null);
    }

    private void Take(BatchToken token)
    {
        if (taken++ < EchoedTokens)
        {
            held.Enqueue(new ServedToken(token.Id, 0, token.LogProbability, token.Alternatives));
            if (taken == EchoedTokens)
                Echo();
            return;
        }

        if (!hasEchoed)
            Echo();
        Chosen++;
        last = Stopwatch.GetTimestamp();
        if (Chosen == 1)
            first = last;
        if (sequence.Request.StopTokens.Contains(token.Id))
            return;
        held.Enqueue(new ServedToken(token.Id, pieces.Decoded + Before, token.LogProbability, token.Alternatives));
        Tell(pieces.Push(token.Id));
    }

    /// <summary>Tells the prompt, and its tokens with where they are in it.</summary>
    private void Echo()
    {
        hasEchoed = true;
        if (request.Echo is not { } echo)
            return;
        List<ServedToken> tokens = [];
        TokenDecoder decoder = tokenizer.NewDecoder();
        int offset = 0;
        foreach (ServedToken token in held)
        {
            tokens.Add(token with { Offset = Math.Min(offset, echo.Length) });
            offset += decoder.Push(token.Id).Length;
        }

        held.Clear();
        told.Tell(new TextPiece(index, echo, tokens));
    }

    private void Tell(string text)
    {
        certain += text.Length;
        List<ServedToken> tokens = [];
        while (held.TryPeek(out ServedToken token) && token.Offset < certain + Before)
            tokens.Add(held.Dequeue());
        if (text.Length > 0 || tokens.Count > 0)
            told.Tell(new TextPiece(index, text, tokens));
    }

    private ServedTiming End(GenerationEnd end)
    {
        sequence.Cancel(); // a text to stop at ends the sequence too
        if (!hasEchoed && end != GenerationEnd.Cancelled)
            Echo();
        string rest = pieces.Finish();
        certain += rest.Length;
        List<ServedToken> tokens = [.. held.Where(token => !pieces.IsStopped || token.Offset < certain + Before)];
        told.Tell(new TextPiece(index, rest, tokens, end));
        return Timing(end);
    }

    private ServedTiming Timing(GenerationEnd? end) => new(
        request.Prompt.Count, Chosen, Chosen == 0 ? null : Stopwatch.GetElapsedTime(asked, first), Stopwatch.GetElapsedTime(first, last),
        end);
}
