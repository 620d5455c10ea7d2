using System.Text;
using System.Text.Json;
using TinyMoE.Configuration;
using TinyMoE.Files;

namespace TinyMoE.Tokenizers;

/// <summary>Text to ids and back. Every id stands for a fixed, non-empty string of bytes, so that losses can be told in bits per byte.</summary>
public abstract class Tokenizer
{
    /// <summary>Number of ids, V; ids are 0..V-1.</summary>
    public abstract int Vocabulary { get; }

    /// <summary>How text is cut.</summary>
    public abstract TokenizerKind Kind { get; }

    /// <summary>The tokenizer of this kind for a text in UTF-8; of kind char, it knows the characters that occur.</summary>
    public static Tokenizer For(TokenizerKind kind, ReadOnlySpan<byte> utf8) => kind switch
    {
        TokenizerKind.Char => CharTokenizer.Of(utf8),
        TokenizerKind.Byte => new ByteTokenizer(),
        _ => throw new ArgumentOutOfRangeException(nameof(kind)),
    };

    /// <summary>Reads what <see cref="Save"/> wrote; throws a <see cref="TinyMoEException"/> for anything else.</summary>
    public static Tokenizer Load(string path)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(path));
            JsonElement root = json.RootElement;
            string? kind = root.GetProperty("kind").GetString();
            return kind switch
            {
                "byte" => new ByteTokenizer(),
                "char" => CharTokenizer.Of(root.GetProperty("symbols").EnumerateArray().Select(symbol => symbol.GetString())),
                _ => throw new TinyMoEException($"{path} has a tokenizer of kind '{kind}'; 'char' and 'byte' are known."),
            };
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot read the tokenizer {path}: {FileProblem.Reason(e)}.", e);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            throw new TinyMoEException($"{path} is not a tokenizer file; expected is {{\"kind\":\"char\",\"symbols\":[...]}} with single characters in rising order, or {{\"kind\":\"byte\"}}.", e);
        }
    }

    /// <summary>Writes the tokenizer as JSON: <c>{"kind":"char","symbols":["a","b"]}</c> or <c>{"kind":"byte"}</c>.</summary>
    public void Save(string path) => AtomicFile.Write(path, stream =>
    {
        using Utf8JsonWriter json = new(stream);
        json.WriteStartObject();
        json.WriteString("kind", Kind == TokenizerKind.Char ? "char" : "byte");
        WriteSymbols(json);
        json.WriteEndObject();
    });

    /// <summary>The ids of a text, for the char tokenizer with \r\n as \n; characters that it does not know throw a <see cref="TinyMoEException"/>.</summary>
    public int[] Encode(string text) =>
        EncodeUtf8(Encoding.UTF8.GetBytes(Kind == TokenizerKind.Char ? text.Replace("\r\n", "\n", StringComparison.Ordinal) : text), "the text").ToArray();

    /// <summary>The ids of a text in UTF-8; <paramref name="where"/> names it in errors.</summary>
    public abstract TokenIds EncodeUtf8(ReadOnlySpan<byte> utf8, string where);

    /// <summary>How many ids a text in UTF-8 has.</summary>
    internal abstract int Count(ReadOnlySpan<byte> utf8);

    /// <summary>The bytes that an id stands for.</summary>
    public abstract ReadOnlySpan<byte> Bytes(int id);

    /// <summary>How many bytes an id stands for.</summary>
    public int ByteCount(int id) => Bytes(id).Length;

    /// <summary>How many bytes these ids stand for.</summary>
    public abstract long ByteCount(ReadOnlySpan<int> ids);

    /// <summary>What text begins with when there is no prompt: a new line, or the first symbol where there is none.</summary>
    public int[] Start
    {
        get
        {
            for (int id = 0; id < Vocabulary; id++)
            {
                if (Bytes(id) is [(byte)'\n'])
                    return [id];
            }

            return [0];
        }
    }

    /// <summary>A decoder for ids that come one by one.</summary>
    public TokenDecoder NewDecoder() => new(this);

    /// <summary>The text of these ids; bytes that are not UTF-8 become U+FFFD.</summary>
    public string Decode(ReadOnlySpan<int> ids)
    {
        StringBuilder text = new();
        TokenDecoder decoder = NewDecoder();
        foreach (int id in ids)
            text.Append(decoder.Push(id));
        return text.Append(decoder.Flush()).ToString();
    }

    private protected virtual void WriteSymbols(Utf8JsonWriter json)
    {
    }
}

/// <summary>Turns ids into text as they come: a character appears as soon as its last byte does.</summary>
public sealed class TokenDecoder
{
    private readonly Tokenizer tokenizer;
    private readonly Decoder decoder = Encoding.UTF8.GetDecoder();
    private readonly char[] text = new char[16];

    internal TokenDecoder(Tokenizer tokenizer) => this.tokenizer = tokenizer;

    /// <summary>The text that is complete with <paramref name="id"/>, often one character, perhaps none; invalid bytes become U+FFFD.</summary>
    public string Push(int id) => new(text, 0, decoder.GetChars(tokenizer.Bytes(id), text, flush: false));

    /// <summary>Ends the text: U+FFFD for an unfinished character, else nothing.</summary>
    public string Flush() => new(text, 0, decoder.GetChars([], text, flush: true));
}

/// <summary>Ids 0 to 255 are the bytes.</summary>
public sealed class ByteTokenizer : Tokenizer
{
    private static readonly byte[] All = [.. Enumerable.Range(0, 256).Select(value => (byte)value)];

    /// <inheritdoc/>
    public override int Vocabulary => 256;

    /// <inheritdoc/>
    public override TokenizerKind Kind => TokenizerKind.Byte;

    /// <inheritdoc/>
    public override TokenIds EncodeUtf8(ReadOnlySpan<byte> utf8, string where)
    {
        TokenIds.Writer ids = new(utf8.Length, Vocabulary);
        foreach (byte value in utf8)
            ids.Add(value);
        return ids.Written;
    }

    internal override int Count(ReadOnlySpan<byte> utf8) => utf8.Length;

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Bytes(int id) => All.AsSpan(id, 1);

    /// <inheritdoc/>
    public override long ByteCount(ReadOnlySpan<int> ids) => ids.Length;
}
