using System.Text.Json;
using TinyMoE.Files;
using TinyMoE.Tokenizers.Bpe;

namespace TinyMoE.Tokenizers;

/// <summary>What a folder says about its tokenizer beside the tokenizer itself: tokenizer_config.json and chat_template.jinja.</summary>
public sealed record TokenizerConfig
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "tokenizer_config.json";

    /// <summary>Name of the file whose chat template counts before the one in tokenizer_config.json.</summary>
    public const string TemplateFileName = "chat_template.jinja";

    /// <summary>Nothing is said.</summary>
    public static TokenizerConfig None { get; } = new();

    /// <summary>The token that begins a text; null: none.</summary>
    public string? BeginToken { get; init; }

    /// <summary>The token that ends a text; null: none.</summary>
    public string? EndToken { get; init; }

    /// <summary>The token for what the tokenizer does not know; null: none.</summary>
    public string? UnknownToken { get; init; }

    /// <summary>The token that fills up; null: none.</summary>
    public string? PadToken { get; init; }

    /// <summary>Whether a text begins with <see cref="BeginToken"/>; null: it is not said.</summary>
    public bool? AddsBegin { get; init; }

    /// <summary>Whether a text ends with <see cref="EndToken"/>; null: it is not said.</summary>
    public bool? AddsEnd { get; init; }

    /// <summary>The chat template, in Jinja; null: there is none.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>All chat templates by name, where the file names them; "default" is <see cref="ChatTemplate"/>.</summary>
    public IReadOnlyDictionary<string, string> ChatTemplates { get; init; } = new Dictionary<string, string>();

    /// <summary>Longest text, in tokens; null: it is not said, or said to be without end.</summary>
    public int? LongestText { get; init; }

    /// <summary>The class that transformers makes of it, such as "LlamaTokenizerFast"; null: it is not said.</summary>
    public string? ClassName { get; init; }

    /// <summary>The tokens beside the vocabulary that the file lists, by id.</summary>
    internal IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    /// <summary>What the files of a folder say; <see cref="None"/> where there are none.</summary>
    /// <exception cref="TinyMoEException">A file is not what it should be.</exception>
    public static TokenizerConfig Open(string folder)
    {
        string path = Path.Combine(folder, FileName), template = Path.Combine(folder, TemplateFileName);
        TokenizerConfig config = File.Exists(path) ? Read(SmallFile.Read(path), path) : None;
        return File.Exists(template) ? config with { ChatTemplate = SmallFile.Text(template) } : config;
    }

    /// <summary>What a tokenizer_config.json says; <paramref name="path"/> names it in errors.</summary>
    public static TokenizerConfig Read(ReadOnlyMemory<byte> contents, string path)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(contents);
            return Read(new JsonPart(json.RootElement, path, ""));
        }
        catch (JsonException e)
        {
            throw new TinyMoEException($"{path} is not JSON: {Excerpt.Of(e.Message)}", e);
        }
    }

    private static TokenizerConfig Read(JsonPart root)
    {
        JsonPart template = root["chat_template"], longest = root["model_max_length"];
        Dictionary<string, string> templates = [];
        if (template.Kind == JsonValueKind.Array)
        {
            foreach (JsonPart item in template.Items())
                templates[item["name"].Text()] = item["template"].Text();
        }

        return new TokenizerConfig
        {
            BeginToken = TokenOf(root["bos_token"]),
            EndToken = TokenOf(root["eos_token"]),
            UnknownToken = TokenOf(root["unk_token"]),
            PadToken = TokenOf(root["pad_token"]),
            AddsBegin = root["add_bos_token"].IsNull ? null : root["add_bos_token"].Flag(false),
            AddsEnd = root["add_eos_token"].IsNull ? null : root["add_eos_token"].Flag(false),
            ChatTemplate = template.Kind == JsonValueKind.Array ? templates.GetValueOrDefault("default") : template.TextOrNull(),
            ChatTemplates = templates,
            LongestText = longest.Kind == JsonValueKind.Number && longest.Element.TryGetDouble(out double length) && length is > 0 and < 1e9
                ? (int)length : null,
            ClassName = root["tokenizer_class"].TextOrNull(),
            AddedTokens = root["added_tokens_decoder"].IsNull ? [] : [.. root["added_tokens_decoder"].Members().Select(TokenOf).OrderBy(token => token.Id)],
        };
    }

    // "<s>" or {"content": "<s>", ...}
    private static string? TokenOf(JsonPart part) => part.Kind == JsonValueKind.Object ? part["content"].Text() : part.TextOrNull();

    private static AddedToken TokenOf((string Id, JsonPart Token) member)
    {
        JsonPart token = member.Token;
        if (!int.TryParse(member.Id, out int id) || id < 0 || id > TokenizerJson.LargestId)
            throw token.Error("is no id");
        bool isSpecial = token["special"].Flag(false);
        return new AddedToken(id, token["content"].Text(), token["single_word"].Flag(false), token["lstrip"].Flag(false),
            token["rstrip"].Flag(false), token["normalized"].Flag(!isSpecial), isSpecial);
    }
}
