using System.Text;
using System.Text.Json;
using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.Tokenizers;

/// <summary>
/// The smallest tokenizer with what char and byte have not: ids that stand for many bytes, the longest match first, a special token before
/// every text that stands for none, and another that a text never has.
/// </summary>
internal sealed class MergeTokenizer : Tokenizer
{
    /// <summary>The special tokens.</summary>
    public const int Begin = 0, Pad = 1;

    private readonly byte[][] symbols;

    /// <summary>Ids 2, 3, ... are the 256 bytes and then these pieces.</summary>
    public MergeTokenizer(params string[] pieces) =>
        symbols = [[], [], .. Enumerable.Range(0, 256).Select(value => new[] { (byte)value }), .. pieces.Select(Encoding.UTF8.GetBytes)];

    public static TokenizerType Description { get; } = new(
        "merge",
        """{"kind":"merge","pieces":[...]}""",
        TextCleaning.Lines,
        _ => new MergeTokenizer("th", "the", " the"),
        json => new MergeTokenizer([.. json.GetProperty("pieces").EnumerateArray().Select(piece => piece.GetString()!)]));

    public override TokenizerType Type => Description;

    public override int Vocabulary => symbols.Length;

    public override int[] Start => [Begin];

    /// <summary>The id of a piece.</summary>
    public int IdOf(string piece) => Array.FindIndex(symbols, symbol => symbol.AsSpan().SequenceEqual(Encoding.UTF8.GetBytes(piece)));

    public override void Encode<TSink>(ReadOnlySpan<byte> utf8, string where, ref TSink sink)
    {
        sink.Add(Begin, 0);
        for (int start = 0; start < utf8.Length;)
        {
            int best = 2 + utf8[start];
            for (int id = 2 + 256; id < symbols.Length; id++)
            {
                if (symbols[id].Length > symbols[best].Length && utf8[start..].StartsWith(symbols[id]))
                    best = id;
            }

            sink.Add(best, start);
            start += symbols[best].Length;
        }
    }

    public override ReadOnlySpan<byte> Bytes(int id) => symbols[id];

    protected override void WriteMembers(Utf8JsonWriter json)
    {
        json.WriteStartArray("pieces");
        foreach (byte[] piece in symbols.Skip(2 + 256))
            json.WriteStringValue(piece);
        json.WriteEndArray();
    }
}
