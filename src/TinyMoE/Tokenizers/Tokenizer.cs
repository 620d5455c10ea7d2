using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using TinyMoE.Configuration;
using TinyMoE.Files;

namespace TinyMoE.Tokenizers;

/// <summary>
/// Text to ids and back. Every id stands for a fixed string of bytes, so that losses can be told in bits per byte; a special token stands
/// for none.
/// </summary>
public abstract class Tokenizer
{
    /// <summary>The kind of this tokenizer.</summary>
    public abstract TokenizerType Type { get; }

    /// <summary>Number of ids, V; ids are 0..V-1.</summary>
    public abstract int Vocabulary { get; }

    /// <summary>The tokenizer of this kind for a text in UTF-8, from which it may learn its vocabulary.</summary>
    public static Tokenizer For(TokenizerKind kind, ReadOnlySpan<byte> utf8) => TokenizerType.Of(kind).Learn(utf8);

    /// <summary>Reads what <see cref="Save"/> wrote; throws a <see cref="TinyMoEException"/> for anything else.</summary>
    public static Tokenizer Load(string path)
    {
        try
        {
            return Read(File.ReadAllBytes(path), path, TokenizerType.All);
        }
        catch (Exception e) when (FileProblem.Is(e))
        {
            throw new TinyMoEException($"Cannot read the tokenizer {path}: {FileProblem.Reason(e)}.", e);
        }
    }

    /// <summary>Reads a tokenizer of one of these types from a file's contents; <paramref name="path"/> names it in errors.</summary>
    internal static Tokenizer Read(ReadOnlyMemory<byte> contents, string path, IReadOnlyList<TokenizerType> types)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(contents, new JsonDocumentOptions { AllowDuplicateProperties = false });
            JsonElement root = json.RootElement;
            if (root.ValueKind == JsonValueKind.Object && root.TryGetProperty("model", out _) && !root.TryGetProperty("kind", out _))
                return BpeTokenizer.Read(root, contents, path);
            string? kind = root.GetProperty("kind").GetString();
            TokenizerType type = types.FirstOrDefault(type => type.Name == kind) ?? throw new TinyMoEException(
                $"{path} has a tokenizer of kind '{kind}'; {NamesOf(types)} are known.");
            return type.Read(root);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or FormatException)
        {
            string forms = string.Join(", or ", types.Select(type => type.Form));
            throw new TinyMoEException($"{path} is not a tokenizer file; expected is {forms}.", e);
        }
    }

    private static string NamesOf(IReadOnlyList<TokenizerType> types) =>
        string.Join(", ", types.SkipLast(1).Select(type => $"'{type.Name}'")) + $" and '{types[^1].Name}'";

    /// <summary>
    /// Writes the tokenizer as JSON: <c>{"kind":"char","symbols":["a","b"]}</c>, <c>{"kind":"byte"}</c>, or Hugging Face's tokenizer.json.
    /// </summary>
    public void Save(string path) => AtomicFile.Write(path, Write);

    /// <summary>Writes to a stream what <see cref="Save"/> writes to a file.</summary>
    internal virtual void Write(Stream stream)
    {
        using Utf8JsonWriter json = new(stream);
        json.WriteStartObject();
        json.WriteString("kind", Type.Name);
        WriteMembers(json);
        json.WriteEndObject();
    }

    /// <summary>
    /// The ids of a text, cleaned as this tokenizer wants text; what it cannot say throws a <see cref="TinyMoEException"/>.
    /// </summary>
    public int[] Encode(string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        return EncodeUtf8(utf8.AsSpan(0, Type.Cleaning.CleanText(utf8)), "the text").ToArray();
    }

    /// <summary>The ids of a clean text in UTF-8; <paramref name="where"/> names it in errors.</summary>
    public TokenIds EncodeUtf8(ReadOnlySpan<byte> utf8, string where)
    {
        PackingSink sink = new(new TokenIds.Writer(GuessCount(utf8), Vocabulary));
        Encode(utf8, where, ref sink);
        return sink.Ids.Written;
    }

    /// <summary>
    /// Gives a sink the tokens of a clean text in UTF-8, in order, each with its first byte; <paramref name="where"/> names the text in
    /// errors.
    /// </summary>
    public abstract void Encode<TSink>(ReadOnlySpan<byte> utf8, string where, ref TSink sink)
        where TSink : struct, ITokenSink;

    /// <summary>About how many ids a text in UTF-8 has: room is made for so many, and for more as they come.</summary>
    public virtual int GuessCount(ReadOnlySpan<byte> utf8) => utf8.Length / 4 + 1;

    /// <summary>
    /// The ids of a text as <see cref="Encode(string)"/> gives them, with what the tokenizer puts around a text, such as a token that
    /// begins
    /// it.
    /// </summary>
    public virtual int[] EncodeWithSpecial(string text) => Encode(text);

    /// <summary>The ids of a text in which special tokens are nothing but text, as of a person who may spell them.</summary>
    public virtual int[] EncodePlain(string text) => Encode(text);

    /// <summary>The tokens of a text, each with the stretch of the text that it stands for.</summary>
    public virtual IReadOnlyList<PlacedToken> EncodeWithPlaces(string text, bool withSpecial = false)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        Span<byte> clean = utf8.AsSpan(0, Type.Cleaning.CleanText(utf8));
        PlacingSink sink = new([]);
        Encode(clean, "the text", ref sink);
        return PlacedToken.InCodePoints(sink.Starts, clean);
    }

    /// <summary>Whether an id is a special token, which text that is decoded for people leaves out.</summary>
    public virtual bool IsSpecial(int id) => false;

    /// <summary>A token as the tokenizer's file writes it, such as "\u0120the"; empty where an id has none.</summary>
    public virtual string TokenText(int id) => Encoding.UTF8.GetString(Bytes(id));

    /// <summary>The id of a token as the tokenizer's file writes it; null: there is none.</summary>
    public virtual int? FindToken(string text)
    {
        for (int id = 0; id < Vocabulary; id++)
        {
            if (TokenText(id) == text)
                return id;
        }

        return null;
    }

    /// <summary>What a person should know of what was read, one line each: what a file says that has no effect here.</summary>
    public virtual IReadOnlyList<string> Notes => [];

    /// <summary>The bytes that an id stands for; a special token has none.</summary>
    public abstract ReadOnlySpan<byte> Bytes(int id);

    /// <summary>Whether another one has the same tokens: each id stands for the same bytes.</summary>
    internal bool HasTokensOf(Tokenizer other) => Vocabulary == other.Vocabulary
        && Enumerable.Range(0, Vocabulary).All(id => Bytes(id).SequenceEqual(other.Bytes(id)));

    /// <summary>How many bytes an id stands for.</summary>
    public int ByteCount(int id) => Bytes(id).Length;

    /// <summary>How many bytes these ids stand for.</summary>
    public virtual long ByteCount(ReadOnlySpan<int> ids)
    {
        long count = 0;
        foreach (int id in ids)
            count += Bytes(id).Length;
        return count;
    }

    /// <summary>
    /// What text begins with when there is no prompt: a new line, or where there is none the first id that stands for bytes.
    /// </summary>
    public virtual int[] Start
    {
        get
        {
            int first = -1;
            for (int id = 0; id < Vocabulary; id++)
            {
                ReadOnlySpan<byte> bytes = Bytes(id);
                if (bytes is [(byte)'\n'])
                    return [id];
                if (first < 0 && !bytes.IsEmpty)
                    first = id;
            }

            return [Math.Max(0, first)];
        }
    }

    /// <summary>A decoder for ids that come one by one, which leaves out special tokens or writes them as they are.</summary>
    public virtual TokenDecoder NewDecoder(bool skipSpecial = true) => new ByteDecoder(this);

    /// <summary>
    /// The text of these ids without special tokens, or with them as they are written; bytes that are not UTF-8 become U+FFFD.
    /// </summary>
    public string Decode(ReadOnlySpan<int> ids, bool skipSpecial = true)
    {
        StringBuilder text = new();
        TokenDecoder decoder = NewDecoder(skipSpecial);
        foreach (int id in ids)
            text.Append(decoder.Push(id));
        return text.Append(decoder.Flush()).ToString();
    }

    /// <summary>
    /// The tokenizer as a tokenizer.json of Hugging Face, whose library gives the same ids. A character that a char tokenizer does not
    /// know is
    /// an error here and left out there.
    /// </summary>
    /// <exception cref="TinyMoEException">It cannot be said so.</exception>
    public virtual byte[] ToHuggingFace() =>
        throw new TinyMoEException($"A tokenizer of kind {Type.Name} cannot be written as Hugging Face's tokenizer.json.");

    /// <summary>Writes what a file of this kind holds beside its kind.</summary>
    protected virtual void WriteMembers(Utf8JsonWriter json)
    {
    }

    /// <summary>Adds the bytes of all ids to a hash, so that two vocabularies that differ differ there too.</summary>
    internal virtual void AppendVocabulary(IncrementalHash hash)
    {
        for (int id = 0; id < Vocabulary; id++)
        {
            ReadOnlySpan<byte> bytes = Bytes(id);
            hash.AppendData(BitConverter.GetBytes(bytes.Length));
            hash.AppendData(bytes);
        }
    }

    /// <summary>Takes the ids and packs them.</summary>
    private struct PackingSink(TokenIds.Writer ids) : ITokenSink
    {
        public TokenIds.Writer Ids = ids;

        public void Add(int id, int start) => Ids.Add(id);
    }

    /// <summary>Takes the ids with their places.</summary>
    private readonly struct PlacingSink(List<(int Id, int Start)> starts) : ITokenSink
    {
        public List<(int Id, int Start)> Starts => starts;

        public void Add(int id, int start) => starts.Add((id, start));
    }
}
