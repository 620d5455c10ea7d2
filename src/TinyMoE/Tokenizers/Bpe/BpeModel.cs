using System.Text;
using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>
/// Byte pair encoding (Sennrich and others, 2016): a word is cut into characters, and pairs of neighbours are merged by rank. Words are
/// text, or, behind <c>ByteLevel</c>, bytes.
/// </summary>
internal sealed class BpeModel
{
    private const int Meta = 0x2581; // "▁", which stands for a space

    private readonly BpeOptions options;
    private readonly PairTable pairs;
    private readonly TokenTable whole;    // to find a word that is a token
    private readonly Dictionary<int, int> characters;
    private readonly int[] bytes;         // by byte: the token of its character, or with byte fallback <0xHH>
    private readonly int unknown;

    /// <summary>A model; <paramref name="isByteLevel"/> tells that its words are bytes.</summary>
    public BpeModel(Vocabulary vocabulary, IReadOnlyList<(int Left, int Right, int Result)> merges, BpeOptions options, bool isByteLevel)
    {
        (Vocabulary, this.options, IsByteLevel) = (vocabulary, options, isByteLevel);
        pairs = new PairTable(merges.Count);
        for (int rank = 0; rank < merges.Count; rank++)
            pairs.Set(merges[rank].Left, merges[rank].Right, rank, merges[rank].Result);
        unknown = options.Unknown == null ? -1 : vocabulary.Find(options.Unknown);
        characters = vocabulary.Characters();
        bytes = isByteLevel ? [.. Enumerable.Range(0, 256).Select(value => characters[ByteCharacters.Of((byte)value)])] : vocabulary.ByteTokens();
        byte[]?[] tokens = new byte[vocabulary.Count][];
        for (int id = 0; id < tokens.Length; id++)
        {
            if (vocabulary[id] is { } text)
                tokens[id] = isByteLevel ? ByteCharacters.BytesOf(text) : Encoding.UTF8.GetBytes(text);
        }

        whole = new TokenTable(tokens);
        CutsBeforeMeta = !isByteLevel && options is { Prefix: null, Suffix: null, IgnoreMerges: false } && characters.ContainsKey(Meta)
            && !merges.Any(merge => CrossesMeta(vocabulary[merge.Result]!));
    }

    /// <summary>The tokens.</summary>
    public Vocabulary Vocabulary { get; }

    /// <summary>Whether words are bytes.</summary>
    public bool IsByteLevel { get; }

    /// <summary>Whether a word may be cut before a "▁": no merge crosses it.</summary>
    public bool CutsBeforeMeta { get; }

    /// <summary>Whether tokens write bytes as characters.</summary>
    public bool WritesBytes { get; init; }

    /// <summary>Whether there are tokens for bytes, such as <c>&lt;0xE2&gt;</c>.</summary>
    public bool HasByteTokens => options.ByteFallback;

    /// <summary>Whether "▁" in a token stands for a space.</summary>
    public bool HasMeta { get; init; }

    /// <summary>
    /// Where a word may be cut without another result, near <paramref name="at"/> but not before it: only before a "▁" which no merge
    /// crosses; the end of the word where there is none.
    /// </summary>
    public int NextCut(ReadOnlySpan<byte> word, int at)
    {
        if (!CutsBeforeMeta)
            return word.Length;
        for (at = Math.Max(1, at); at < word.Length; at++)
        {
            int found = word[at..].IndexOf("▁"u8);
            if (found < 0)
                return word.Length;
            at += found;
            if (!word[..at].EndsWith("▁"u8))
                return at;
        }

        return word.Length;
    }

    /// <summary>Makes the tokens of a word.</summary>
    public void Encode(ReadOnlySpan<byte> word, Word tokens)
    {
        tokens.Clear();
        if (word.IsEmpty)
            return;
        if (options.IgnoreMerges && whole.Find(word) is >= 0 and int id)
        {
            tokens.Add(id, word.Length);
            return;
        }

        if (IsByteLevel)
            tokens.SetBytes(word, bytes);
        else
            Characters(word, tokens);
        tokens.Merge(pairs);
    }

    private static bool CrossesMeta(string token)
    {
        for (int i = 1; i < token.Length; i++)
        {
            if (token[i] == Meta && token[i - 1] != Meta)
                return true;
        }

        return false;
    }

    // A token per character; one that is unknown becomes its bytes, the unknown token, or nothing.
    private void Characters(ReadOnlySpan<byte> word, Word tokens)
    {
        int unknownBytes = 0; // of the unknown characters that wait for the next one
        for (int at = 0, length; at < word.Length; at += length)
        {
            int codePoint = Unicode.At(word, at, out length);
            string? affixed = Affixed(codePoint, isFirst: at == 0, isLast: at + length == word.Length);
            int id = affixed == null ? characters.GetValueOrDefault(codePoint, -1) : Vocabulary.Find(affixed);
            if (id >= 0)
            {
                Flush(tokens, ref unknownBytes);
                tokens.Add(id, length);
            }
            else if (!FallsBack(affixed == null ? word.Slice(at, length) : Encoding.UTF8.GetBytes(affixed), length, tokens) && unknown >= 0)
            {
                if (!options.FuseUnknown)
                    Flush(tokens, ref unknownBytes);
                unknownBytes += length;
            }
        }

        Flush(tokens, ref unknownBytes);
    }

    private void Flush(Word tokens, ref int unknownBytes)
    {
        if (unknownBytes > 0)
            tokens.Add(unknown, unknownBytes);
        unknownBytes = 0;
    }

    private string? Affixed(int codePoint, bool isFirst, bool isLast)
    {
        string? prefix = isFirst ? null : options.Prefix, suffix = isLast ? options.Suffix : null;
        return prefix == null && suffix == null ? null : prefix + new Rune(codePoint) + suffix;
    }

    // Unknown characters that wait stay behind: Hugging Face's library writes the bytes first.
    private bool FallsBack(ReadOnlySpan<byte> character, int length, Word tokens)
    {
        if (!options.ByteFallback)
            return false;
        foreach (byte value in character)
        {
            if (bytes[value] < 0)
                return false;
        }

        foreach (byte value in character)
        {
            tokens.Add(bytes[value], Math.Min(1, length));
            length = Math.Max(0, length - 1);
        }

        return true;
    }
}
