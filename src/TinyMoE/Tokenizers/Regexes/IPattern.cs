namespace TinyMoE.Tokenizers.Regexes;

/// <summary>A pattern that is looked for in a text in UTF-8.</summary>
internal interface IPattern
{
    /// <summary>The first match from <paramref name="from"/> on; false: there is none.</summary>
    bool Find(ReadOnlySpan<byte> utf8, int from, out int start, out int end);
}
