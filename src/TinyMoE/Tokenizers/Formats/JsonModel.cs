using System.Text.Encodings.Web;
using System.Text.Json;
using TinyMoE.Tokenizers.Bpe;

namespace TinyMoE.Tokenizers.Formats;

/// <summary>
/// A tokenizer of another form, said as a tokenizer.json: what it becomes when it is kept, and how it is read. Parts are in the words of
/// Hugging Face's library.
/// </summary>
internal sealed record JsonModel
{
    /// <summary><c>ByteLevel</c> with the pattern of GPT-2 or without; it serves as pre-tokenizer, decoder and post-processor.</summary>
    public static string ByteLevel(bool usesRegex) =>
        $$"""{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":{{(usesRegex ? "true" : "false")}}}""";

    /// <summary>Tokens by id.</summary>
    public required IReadOnlyList<string> Tokens { get; init; }

    /// <summary>Pairs by rank.</summary>
    public IReadOnlyList<(string Left, string Right)> Merges { get; init; } = [];

    /// <summary>What the model does beside merging.</summary>
    public BpeOptions Options { get; init; } = new();

    /// <summary>Tokens that are looked for first.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    /// <summary>The normalizer as JSON.</summary>
    public string Normalizer { get; init; } = "null";

    /// <summary>The pre-tokenizer as JSON.</summary>
    public string PreTokenizer { get; init; } = "null";

    /// <summary>The decoder as JSON.</summary>
    public string Decoder { get; init; } = "null";

    /// <summary>The token that begins every text, and the one that ends it; null: none.</summary>
    public (string? Begin, string? End) Around { get; init; }

    /// <summary>The pre-tokenizer that cuts by a pattern and then writes bytes.</summary>
    public static string Split(string pattern) => $$"""
        {"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":{{JsonSerializer.Serialize(pattern)}}},"behavior":"Isolated","invert":false},{{ByteLevel(false)}}]}
        """;

    /// <summary>The tokenizer; <paramref name="path"/> names the file that it was read from in errors.</summary>
    public BpeTokenizer ToTokenizer(string path) => BpeTokenizer.Read(Write(), path);

    /// <summary>The tokenizer.json.</summary>
    public byte[] Write()
    {
        using MemoryStream stream = new();
        using (Utf8JsonWriter json = new(stream, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            Write(json);
        return stream.ToArray();
    }

    private void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("version", "1.0");
        json.WriteNull("truncation");
        json.WriteNull("padding");
        json.WriteStartArray("added_tokens");
        foreach (AddedToken token in AddedTokens.OrderBy(token => token.Id))
            Write(json, token);
        json.WriteEndArray();
        Raw(json, "normalizer", Normalizer);
        Raw(json, "pre_tokenizer", PreTokenizer);
        json.WritePropertyName("post_processor");
        WriteTemplate(json);
        Raw(json, "decoder", Decoder);
        WriteModel(json);
        json.WriteEndObject();
    }

    private static void Raw(Utf8JsonWriter json, string name, string value)
    {
        json.WritePropertyName(name);
        json.WriteRawValue(value);
    }

    private static void Write(Utf8JsonWriter json, AddedToken token)
    {
        json.WriteStartObject();
        json.WriteNumber("id", token.Id);
        json.WriteString("content", token.Text);
        json.WriteBoolean("single_word", token.IsSingleWord);
        json.WriteBoolean("lstrip", token.StripsLeft);
        json.WriteBoolean("rstrip", token.StripsRight);
        json.WriteBoolean("normalized", token.IsNormalized);
        json.WriteBoolean("special", token.IsSpecial);
        json.WriteEndObject();
    }

    private void WriteTemplate(Utf8JsonWriter json)
    {
        if (Around is (null, null))
        {
            json.WriteNullValue();
            return;
        }

        json.WriteStartObject();
        json.WriteString("type", "TemplateProcessing");
        foreach ((string name, string[] texts) in ((string, string[])[])[("single", ["A"]), ("pair", ["A", "B"])])
        {
            json.WriteStartArray(name);
            for (int i = 0; i < texts.Length; i++)
            {
                Piece(json, "SpecialToken", Around.Begin, i);
                Piece(json, "Sequence", texts[i], i);
                Piece(json, "SpecialToken", Around.End, i);
            }

            json.WriteEndArray();
        }

        json.WriteStartObject("special_tokens");
        foreach (string token in ((string?[])[Around.Begin, Around.End]).OfType<string>().Distinct())
        {
            json.WriteStartObject(token);
            json.WriteString("id", token);
            json.WriteStartArray("ids");
            json.WriteNumberValue(AddedTokens.First(added => added.Text == token).Id);
            json.WriteEndArray();
            json.WriteStartArray("tokens");
            json.WriteStringValue(token);
            json.WriteEndArray();
            json.WriteEndObject();
        }

        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static void Piece(Utf8JsonWriter json, string kind, string? id, int typeId)
    {
        if (id == null)
            return;
        json.WriteStartObject();
        json.WriteStartObject(kind);
        json.WriteString("id", id);
        json.WriteNumber("type_id", typeId);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private void WriteModel(Utf8JsonWriter json)
    {
        json.WriteStartObject("model");
        json.WriteString("type", "BPE");
        json.WriteNull("dropout");
        json.WriteString("unk_token", Options.Unknown);
        json.WriteString("continuing_subword_prefix", Options.Prefix);
        json.WriteString("end_of_word_suffix", Options.Suffix);
        json.WriteBoolean("fuse_unk", Options.FuseUnknown);
        json.WriteBoolean("byte_fallback", Options.ByteFallback);
        json.WriteBoolean("ignore_merges", Options.IgnoreMerges);
        json.WriteStartObject("vocab");
        for (int id = 0; id < Tokens.Count; id++)
            json.WriteNumber(Tokens[id], id);
        json.WriteEndObject();
        json.WriteStartArray("merges");
        foreach ((string left, string right) in Merges)
        {
            json.WriteStartArray();
            json.WriteStringValue(left);
            json.WriteStringValue(right);
            json.WriteEndArray();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
