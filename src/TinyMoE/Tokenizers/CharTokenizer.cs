using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using TinyMoE.Tokenizers.Formats;

namespace TinyMoE.Tokenizers;

/// <summary>Cuts a text into Unicode scalar values, with one id for each, in rising order of code points.</summary>
public sealed class CharTokenizer : Tokenizer
{
    private const int CodePoints = 0x110000;
    private const int Unknown = -1;

    private readonly byte[][] symbols; // UTF-8 by id
    private readonly int[] ids;        // by code point, up to the largest known one

    private CharTokenizer(IReadOnlyList<Rune> runes)
    {
        symbols = [.. runes.Select(rune => Encoding.UTF8.GetBytes(rune.ToString()))];
        ids = new int[runes[^1].Value + 1];
        Array.Fill(ids, Unknown);
        for (int id = 0; id < symbols.Length; id++)
            ids[runes[id].Value] = id;
    }

    /// <summary>The kind of this tokenizer: its name and how it is made.</summary>
    public static TokenizerType Description { get; } = new(
        "char",
        """{"kind":"char","symbols":[...]} with single characters in rising order""",
        TextCleaning.Lines,
        Of,
        json => Of(json.GetProperty("symbols").EnumerateArray().Select(symbol => symbol.GetString())));

    /// <inheritdoc/>
    public override TokenizerType Type => Description;

    /// <inheritdoc/>
    public override int Vocabulary => symbols.Length;

    /// <inheritdoc/>
    public override void Encode<TSink>(ReadOnlySpan<byte> utf8, string where, ref TSink sink)
    {
        int end = utf8.Length;
        for (int i = 0; !utf8.IsEmpty; i++)
        {
            int start = end - utf8.Length;
            Rune rune = Next(ref utf8);
            int id = rune.Value < ids.Length ? ids[rune.Value] : Unknown;
            if (id == Unknown)
            {
                string known = $"is not among the {Vocabulary} that the tokenizer knows: remove it, or train with --tokenizer byte.";
                throw new UnknownTextException(
                    $"The character {Name(rune)} at position {i} of {where} {known}", $"the character {Name(rune)} {known}", start);
            }

            sink.Add(id, start);
        }
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Bytes(int id) => symbols[id];

    /// <inheritdoc/>
    public override long ByteCount(ReadOnlySpan<int> ids)
    {
        long count = 0;
        foreach (int id in ids)
            count += symbols[id].Length;
        return count;
    }

    /// <summary>How many characters a text has, which is no guess: a long text is packed into memory of its size.</summary>
    public override int GuessCount(ReadOnlySpan<byte> utf8)
    {
        int count = 0;
        for (; !utf8.IsEmpty; count++)
            _ = Next(ref utf8);
        return count;
    }

    /// <inheritdoc/>
    public override byte[] ToHuggingFace() => new JsonModel
    {
        Tokens = [.. symbols.Select(symbol => Encoding.UTF8.GetString(symbol))],
        Normalizer = """{"type":"Replace","pattern":{"String":"\r\n"},"content":"\n"}""", // as the text is cleaned
        Decoder = """{"type":"Fuse"}""",
    }.Write();

    /// <summary>The tokenizer that knows the characters of a text.</summary>
    internal static CharTokenizer Of(ReadOnlySpan<byte> utf8)
    {
        if (utf8.IsEmpty)
            throw new ArgumentException("No text, no characters.");
        bool[] occurs = new bool[CodePoints];
        while (!utf8.IsEmpty)
            occurs[Next(ref utf8).Value] = true;
        return new CharTokenizer([.. Enumerable.Range(0, CodePoints).Where(value => occurs[value]).Select(value => new Rune(value))]);
    }

    /// <summary>
    /// The tokenizer with these symbols; throws a <see cref="FormatException"/> unless they are single characters in rising order.
    /// </summary>
    internal static CharTokenizer Of(IEnumerable<string?> symbols)
    {
        List<Rune> runes = [];
        foreach (string? symbol in symbols)
        {
            if (!Rune.TryGetRuneAt(symbol is { Length: > 0 } ? symbol : throw new FormatException(), 0, out Rune rune)
                || rune.Utf16SequenceLength != symbol.Length
                || (runes.Count > 0 && rune <= runes[^1]))
                throw new FormatException();
            runes.Add(rune);
        }

        return runes.Count > 0 ? new CharTokenizer(runes) : throw new FormatException();
    }

    /// <inheritdoc/>
    protected override void WriteMembers(Utf8JsonWriter json)
    {
        json.WriteStartArray("symbols");
        foreach (byte[] symbol in symbols)
            json.WriteStringValue(symbol);
        json.WriteEndArray();
    }

    // UTF-8 itself says where a character ends.
    internal override void AppendVocabulary(IncrementalHash hash)
    {
        foreach (byte[] symbol in symbols)
            hash.AppendData(symbol);
    }

    // The first character; bytes that are not UTF-8 read as U+FFFD.
    private static Rune Next(ref ReadOnlySpan<byte> utf8)
    {
        if (utf8[0] < 0x80)
        {
            Rune ascii = new((char)utf8[0]);
            utf8 = utf8[1..];
            return ascii;
        }

        _ = Rune.DecodeFromUtf8(utf8, out Rune rune, out int length);
        utf8 = utf8[length..];
        return rune;
    }

    // Beside its number the character itself, where it can be seen and changes nothing around it.
    private static string Name(Rune rune)
    {
        bool visible = Rune.IsLetterOrDigit(rune) || Rune.IsPunctuation(rune) || Rune.IsSymbol(rune);
        return visible ? $"'{rune}' (U+{rune.Value:X4})" : $"U+{rune.Value:X4}";
    }
}
