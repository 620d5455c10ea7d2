using System.Buffers;
using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>A token that is looked for in the text before anything else happens to it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Text">What it is in the text.</param>
/// <param name="IsSingleWord">Whether no word character may stand beside it.</param>
/// <param name="StripsLeft">Whether it takes the white space before it.</param>
/// <param name="StripsRight">Whether it takes the white space behind it.</param>
/// <param name="IsNormalized">Whether it is looked for, normalized, in the normalized text.</param>
/// <param name="IsSpecial">Whether text for people leaves it out.</param>
internal sealed record AddedToken(
    int Id, string Text, bool IsSingleWord, bool StripsLeft, bool StripsRight, bool IsNormalized, bool IsSpecial);

/// <summary>Finds added tokens: the leftmost, of several the longest.</summary>
internal sealed class AddedTokenFinder
{
    private const int Root = 0, Nowhere = -1;

    private readonly Dictionary<long, int> steps = []; // from a node by a byte to a node
    private readonly List<AddedToken?> ends = [null];  // by node
    private readonly SearchValues<byte> firsts;

    /// <summary>A finder of tokens, each with the bytes that it is looked for by; of equal ones the first counts.</summary>
    public AddedTokenFinder(IReadOnlyList<(AddedToken Token, byte[] Utf8)> tokens)
    {
        foreach ((AddedToken token, byte[] utf8) in tokens)
        {
            int node = Root;
            foreach (byte value in utf8)
            {
                long step = StepOf(node, value);
                if (!steps.TryGetValue(step, out int next))
                {
                    steps.Add(step, next = ends.Count);
                    ends.Add(null);
                }

                node = next;
            }

            if (node != Root)
                ends[node] ??= token;
        }

        firsts = SearchValues.Create([.. tokens.Where(token => token.Utf8.Length > 0).Select(token => token.Utf8[0]).Distinct()]);
        IsEmpty = steps.Count == 0;
        IsLocal = tokens.All(token => !token.Token.StripsLeft && !token.Token.StripsRight && !token.Utf8.Contains((byte)'\n'));
    }

    /// <summary>Whether there is no token.</summary>
    public bool IsEmpty { get; }

    /// <summary>Whether none of them takes part of another line.</summary>
    public bool IsLocal { get; }

    /// <summary>
    /// The next token of a text from <paramref name="place"/> on, which moves behind what was looked at; white space before it counts from
    /// <paramref name="from"/> on, behind the token before. False: there is none.
    /// </summary>
    public bool Find(ReadOnlySpan<byte> utf8, int from, ref int place, out AddedToken? token, out int start, out int end)
    {
        while (Match(utf8, place, out token, out start, out end))
        {
            place = end;
            if (token!.IsSingleWord && (IsWordBefore(utf8, start) || IsWordAt(utf8, end)))
                continue;
            if (token.StripsLeft)
            {
                int first = start;
                while (first > 0 && Unicode.Before(utf8, first) is int before && Unicode.IsSpace(Unicode.At(utf8, before, out _)))
                    first = before;
                start = Math.Max(first, from);
            }

            while (token.StripsRight && end < utf8.Length && Unicode.IsSpace(Unicode.At(utf8, end, out int length)))
                end += length;
            if (start < end) // else all of it is in the white space that the token before took
                return true;
        }

        return false;
    }

    private bool Match(ReadOnlySpan<byte> utf8, int place, out AddedToken? token, out int start, out int end)
    {
        for (start = place; !IsEmpty && start < utf8.Length; start++)
        {
            int found = utf8[start..].IndexOfAny(firsts);
            if (found < 0)
                break;
            start += found;
            (token, end) = (null, start);
            int node = Root;
            for (int at = start; at < utf8.Length && (node = steps.GetValueOrDefault(StepOf(node, utf8[at]), Nowhere)) != Nowhere; at++)
            {
                if (ends[node] != null)
                    (token, end) = (ends[node], at + 1);
            }

            if (token != null)
                return true;
        }

        (token, start, end) = (null, utf8.Length, utf8.Length);
        return false;
    }

    // Joiners are word characters to the regular expressions of Rust.
    private static bool IsWord(int codePoint) => Unicode.IsWord(codePoint) || codePoint is 0x200C or 0x200D;

    private static bool IsWordBefore(ReadOnlySpan<byte> utf8, int at) =>
        at > 0 && IsWord(Unicode.At(utf8, Unicode.Before(utf8, at), out _));

    private static bool IsWordAt(ReadOnlySpan<byte> utf8, int at) => at < utf8.Length && IsWord(Unicode.At(utf8, at, out _));

    private static long StepOf(int node, byte value) => ((long)node << 8) | value;
}
