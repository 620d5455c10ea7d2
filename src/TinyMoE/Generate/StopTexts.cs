namespace TinyMoE.Generate;

/// <summary>
/// Ends a text as soon as it contains one of some texts, which is not part of it any more. Text comes in pieces; what may be the beginning
/// of a stop text is held back until it is clear.
/// </summary>
public sealed class StopTexts
{
    private readonly string[] stops;
    private string held = "";

    /// <summary>Stops at the first of these; empty ones are an error.</summary>
    /// <exception cref="TinyMoEException">A text is empty.</exception>
    public StopTexts(IEnumerable<string> stops)
    {
        this.stops = [.. stops];
        if (this.stops.Any(stop => stop.Length == 0))
            throw new TinyMoEException("A text to stop at is empty, and every text contains that; leave it out.");
    }

    /// <summary>Whether the text has ended.</summary>
    public bool Found { get; private set; }

    /// <summary>Adds a piece; gives what is certain to be part of the text, which may be less or more than the piece.</summary>
    public string Push(string piece)
    {
        if (Found)
            return "";
        if (stops.Length == 0)
            return piece;
        string text = held + piece;
        int end = stops.Select(stop => text.IndexOf(stop, StringComparison.Ordinal)).Where(place => place >= 0).DefaultIfEmpty(-1).Min();
        Found = end >= 0;
        if (!Found)
            end = text.Length - LongestBeginning(text);
        held = Found ? "" : text[end..];
        return text[..end];
    }

    /// <summary>What was held back at the end of the text.</summary>
    public string Flush()
    {
        string rest = held;
        held = "";
        return rest;
    }

    /// <summary>How many characters at the end of a text are the beginning of a stop text.</summary>
    private int LongestBeginning(string text)
    {
        int longest = 0;
        foreach (string stop in stops)
        {
            for (int length = Math.Min(stop.Length - 1, text.Length); length > longest; length--)
            {
                if (text.AsSpan(text.Length - length).SequenceEqual(stop.AsSpan(0, length)))
                    longest = length;
            }
        }

        return longest;
    }
}
