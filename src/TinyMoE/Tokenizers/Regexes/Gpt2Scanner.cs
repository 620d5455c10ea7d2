namespace TinyMoE.Tokenizers.Regexes;

/// <summary>The pattern of GPT-2, which <c>ByteLevel</c> has built in.</summary>
internal sealed class Gpt2Scanner : Scanner
{
    /// <summary>The pattern.</summary>
    public const string Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <inheritdoc/>
    public override int Next(ReadOnlySpan<byte> utf8, int at)
    {
        int start = at;
        if (utf8[at] == '\'' && Contraction(utf8[at..]) is > 0 and int length)
            return at + length;
        if (utf8[at] == ' ' && at + 1 < utf8.Length)
            at++;
        int codePoint = Unicode.At(utf8, at, out _);
        if (Unicode.IsLetter(codePoint))
            return Letters(utf8, at);
        if (Unicode.IsNumber(codePoint))
            return Numbers(utf8, at, int.MaxValue);
        return Unicode.IsSpace(codePoint) ? Spaces(utf8, start) : Others(utf8, at);
    }

    private static int Contraction(ReadOnlySpan<byte> rest) => rest switch
    {
        [_, (byte)'s' or (byte)'t' or (byte)'m' or (byte)'d', ..] => 2,
        [_, (byte)'r' or (byte)'v', (byte)'e', ..] or [_, (byte)'l', (byte)'l', ..] => 3,
        _ => 0,
    };
}
