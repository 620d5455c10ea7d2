using System.Security.Cryptography;
using TinyMoE.Tokenizers.Bpe;
using TinyMoE.Tokenizers.Formats;

namespace TinyMoE.Tokenizers;

/// <summary>Cuts a text into its bytes, with ids 0 to 255.</summary>
public sealed class ByteTokenizer : Tokenizer
{
    private const int Values = 256;

    private static readonly byte[] All = [.. Enumerable.Range(0, Values).Select(value => (byte)value)];

    /// <summary>The kind of this tokenizer: its name and how it is made.</summary>
    public static TokenizerType Description { get; } = new(
        "byte", """{"kind":"byte"}""", TextCleaning.None, _ => new ByteTokenizer(), _ => new ByteTokenizer(), Vocabulary: Values);

    /// <inheritdoc/>
    public override TokenizerType Type => Description;

    /// <inheritdoc/>
    public override int Vocabulary => Values;

    /// <inheritdoc/>
    public override void Encode<TSink>(ReadOnlySpan<byte> utf8, string where, ref TSink sink)
    {
        for (int i = 0; i < utf8.Length; i++)
            sink.Add(utf8[i], i);
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Bytes(int id) => All.AsSpan(id, 1);

    /// <inheritdoc/>
    public override long ByteCount(ReadOnlySpan<int> ids) => ids.Length;

    /// <inheritdoc/>
    public override int GuessCount(ReadOnlySpan<byte> utf8) => utf8.Length;

    /// <inheritdoc/>
    public override byte[] ToHuggingFace() => new JsonModel
    {
        Tokens = [.. All.Select(value => ByteCharacters.Of(value).ToString())],
        PreTokenizer = JsonModel.ByteLevel(usesRegex: false),
        Decoder = JsonModel.ByteLevel(usesRegex: false),
    }.Write();

    // A byte each, so that it is clear where one ends.
    internal override void AppendVocabulary(IncrementalHash hash) => hash.AppendData(All);
}
