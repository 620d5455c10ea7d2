using System.Text;

namespace TinyMoE.Web.View;

/// <summary>A part of a text that was followed through a model.</summary>
/// <param name="Text">The part.</param>
/// <param name="Experts">By mixture, the expert with the largest gate of its last token; null: it went to none.</param>
internal sealed record FollowedPart(string Text, int?[] Experts);

/// <summary>Finds what a person typed among the tokens of the prompt that was made of it, to show it token by token.</summary>
internal static class FollowedText
{
    /// <summary>
    /// The typed text in parts, a token each, or several where a character is cut between them; null where the tokens do not say the text
    /// as it was typed, as with a tokenizer that changes it.
    /// </summary>
    /// <param name="typed">What was typed.</param>
    /// <param name="around">What a template wrote before and after it; null: the text is where its bytes are.</param>
    /// <param name="tokens">The bytes of each token of the prompt.</param>
    /// <param name="expertsOf">The experts of a token by its place in the prompt.</param>
    public static FollowedPart[]? Find(
        string typed, (string Before, string After)? around, IReadOnlyList<byte[]> tokens, Func<int, int?[]> expertsOf)
    {
        byte[] all = [.. tokens.SelectMany(token => token)];
        if (Place(typed, around, all) is not var (from, to))
            return null;
        List<FollowedPart> parts = [];
        for (int i = 0, at = 0, begin = from; i < tokens.Count && at < to; i++)
        {
            at += tokens[i].Length;
            int end = Math.Min(at, to);
            if (end <= begin || (end < to && !System.Text.Unicode.Utf8.IsValid(all.AsSpan(begin, end - begin))))
                continue; // before the text, or a character goes on in the next token
            parts.Add(new FollowedPart(Encoding.UTF8.GetString(all, begin, end - begin), expertsOf(i)));
            begin = end;
        }

        return [.. parts];
    }

    private static (int From, int To)? Place(string typed, (string Before, string After)? around, ReadOnlySpan<byte> all)
    {
        if (around is not var (before, after))
        {
            ReadOnlySpan<byte> text = Encoding.UTF8.GetBytes(typed);
            int at = all.LastIndexOf(text);
            return at < 0 ? null : (at, at + text.Length);
        }

        ReadOnlySpan<byte> head = Encoding.UTF8.GetBytes(before), tail = Encoding.UTF8.GetBytes(after);
        return all.Length >= head.Length + tail.Length && all.StartsWith(head) && all.EndsWith(tail)
            ? (head.Length, all.Length - tail.Length) : null;
    }
}
