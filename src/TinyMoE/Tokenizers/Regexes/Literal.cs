namespace TinyMoE.Tokenizers.Regexes;

/// <summary>A pattern that is a text; an empty one is nowhere.</summary>
internal sealed class Literal(byte[] text) : IPattern
{
    public bool Find(ReadOnlySpan<byte> utf8, int from, out int start, out int end)
    {
        int at = text.Length == 0 ? -1 : utf8[from..].IndexOf(text);
        (start, end) = (from + at, from + at + text.Length);
        return at >= 0;
    }
}
