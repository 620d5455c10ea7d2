using TinyMoE.Configuration;

namespace TinyMoE.Tokenizers.Training;

/// <summary>
/// The parts of a <c>tokenizer.json</c> that a style has beside its vocabulary, as JSON: what the files of GPT-2, Llama-3 and Qwen-2 say,
/// and for SentencePiece what Llama-2's says, with words cut at blanks and line ends, so that they stay short.
/// </summary>
internal sealed record BpePipeline
{
    private const string Letters = """[^\\r\\n\\p{L}\\p{N}]?\\p{L}+""";
    private const string Contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private const string Others = """ ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+""";

    private const string ByteLevel = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,"use_regex":true}""";
    private const string BytesOnly = """{"type":"ByteLevel","add_prefix_space":false,"trim_offsets":false,"use_regex":false}""";

    private static readonly BpePipeline Gpt2 = new()
    {
        Special = ["<|endoftext|>"],
        PreTokenizer = ByteLevel,
        PostProcessor = ByteLevel,
        Decoder = ByteLevel,
    };

    private static readonly BpePipeline Llama3 = new()
    {
        Special = ["<|begin_of_text|>", "<|end_of_text|>"],
        PreTokenizer = Split($"{Contractions}|{Letters}|\\\\p{{N}}{{1,3}}|{Others}"),
        PostProcessor = """{"type":"Sequence","processors":[""" + BytesOnly + "," + First("<|begin_of_text|>", 0) + "]}",
        Decoder = BytesOnly,
        IgnoresMerges = true,
    };

    private static readonly BpePipeline Qwen2 = new()
    {
        Special = ["<|endoftext|>"],
        Normalizer = """{"type":"NFC"}""",
        PreTokenizer = Split($"{Contractions}|{Letters}|\\\\p{{N}}|{Others}"),
        PostProcessor = BytesOnly,
        Decoder = BytesOnly,
    };

    private static readonly BpePipeline Sentencepiece = new()
    {
        Special = ["<unk>", "<s>", "</s>"],
        Unknown = "<unk>",
        IsOfBytes = false,
        Normalizer = """
            {"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]}
            """,
        PreTokenizer = """
            {"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"String":"\n"},"behavior":"Isolated","invert":false},
            {"type":"Metaspace","replacement":"▁","prepend_scheme":"never","split":true}]}
            """,
        PostProcessor = First("<s>", 1),
        Decoder = """
            {"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" "},{"type":"ByteFallback"},
            {"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}
            """,
    };

    /// <summary>
    /// The tokens that stand for single bytes where the alphabet has no character: <c>&lt;0x00&gt;</c> to <c>&lt;0xFF&gt;</c>.
    /// </summary>
    public static IReadOnlyList<string> ByteTokens { get; } = [.. Enumerable.Range(0, 256).Select(value => $"<0x{value:X2}>")];

    /// <summary>The special tokens of the style, which get the first ids.</summary>
    public required IReadOnlyList<string> Special { get; init; }

    /// <summary>What is done to a text first.</summary>
    public string Normalizer { get; init; } = "null";

    /// <summary>What cuts it into words.</summary>
    public required string PreTokenizer { get; init; }

    /// <summary>What is put around the tokens.</summary>
    public required string PostProcessor { get; init; }

    /// <summary>What makes text of tokens.</summary>
    public required string Decoder { get; init; }

    /// <summary>Whether the alphabet is the 256 bytes; else it is characters, and bytes stand in for those that it has not.</summary>
    public bool IsOfBytes { get; init; } = true;

    /// <summary>Whether a word that is a token stays whole, whatever the merges say.</summary>
    public bool IgnoresMerges { get; init; }

    /// <summary>The token of what has no other; null: there is none.</summary>
    public string? Unknown { get; init; }

    /// <summary>The parts of a style.</summary>
    public static BpePipeline Of(TokenizerStyle style) => style switch
    {
        TokenizerStyle.Gpt2 => Gpt2,
        TokenizerStyle.Llama3 => Llama3,
        TokenizerStyle.Qwen2 => Qwen2,
        TokenizerStyle.Sentencepiece => Sentencepiece,
        _ => throw new ArgumentOutOfRangeException(nameof(style), style, "No tokenizer has this style."),
    };

    private static string Split(string regex) => """{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"""
        + $"\"{regex}\"" + """},"behavior":"Isolated","invert":false},""" + BytesOnly + "]}";

    // One text, and a pair of texts, each with this token first.
    private static string First(string token, int id) => """
        {"type":"TemplateProcessing",
        "single":[{"SpecialToken":{"id":"TOKEN","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],
        "pair":[{"SpecialToken":{"id":"TOKEN","type_id":0}},{"Sequence":{"id":"A","type_id":0}},
        {"SpecialToken":{"id":"TOKEN","type_id":1}},{"Sequence":{"id":"B","type_id":1}}],
        "special_tokens":{"TOKEN":{"id":"TOKEN","ids":[ID],"tokens":["TOKEN"]}}}
        """.Replace("TOKEN", token, StringComparison.Ordinal).Replace("ID", $"{id}", StringComparison.Ordinal);
}
