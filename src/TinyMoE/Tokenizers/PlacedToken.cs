using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers;

/// <summary>A token and the stretch of the text that it stands for, in code points: from <c>Start</c> up to, not with, <c>End</c>.</summary>
public readonly record struct PlacedToken(int Id, int Start, int End)
{
    /// <summary>Tokens of which each ends where the next begins, given the first byte of each.</summary>
    internal static IReadOnlyList<PlacedToken> InCodePoints(IReadOnlyList<(int Id, int Start)> starts, ReadOnlySpan<byte> utf8)
    {
        List<(int Id, int Start, int End)> stretches = [];
        for (int i = 0; i < starts.Count; i++)
            stretches.Add((starts[i].Id, starts[i].Start, i + 1 < starts.Count ? starts[i + 1].Start : utf8.Length));
        return InCodePoints(stretches, utf8);
    }

    /// <summary>Tokens given the bytes of each: one that begins or ends inside a character has all of it.</summary>
    internal static IReadOnlyList<PlacedToken> InCodePoints(IReadOnlyList<(int Id, int Start, int End)> stretches, ReadOnlySpan<byte> utf8)
    {
        int[] characters = new int[utf8.Length + 1]; // which character a byte is of
        int count = 0;
        for (int at = 0; at < utf8.Length; count++)
        {
            _ = Unicode.At(utf8, at, out int length);
            characters.AsSpan(at, length).Fill(count);
            at += length;
        }

        characters[^1] = count;
        PlacedToken[] tokens = new PlacedToken[stretches.Count];
        for (int i = 0; i < tokens.Length; i++)
        {
            (int id, int start, int end) = stretches[i];
            tokens[i] = new PlacedToken(id, characters[start], end > start ? characters[end - 1] + 1 : characters[start]);
        }

        return tokens;
    }
}
