using System.Text.Json;
using TinyMoE.Files;
using TinyMoE.Tokenizers.Bpe;
using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.Formats;

/// <summary>Reads vocab.json and merges.txt, as GPT-2 and Qwen2 came first; how text is cut is told by the class of the tokenizer.</summary>
internal static class VocabularyFiles
{
    /// <summary>Whether a JSON file is an object of numbers.</summary>
    public static bool IsVocabulary(ReadOnlySpan<byte> contents)
    {
        try
        {
            Utf8JsonReader reader = new(contents);
            return reader.Read() && reader.TokenType == JsonTokenType.StartObject
                && reader.Read() && reader.TokenType == JsonTokenType.PropertyName
                && reader.Read() && reader.TokenType == JsonTokenType.Number;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>The tokenizer of both files.</summary>
    public static BpeTokenizer Read(ReadOnlyMemory<byte> vocabulary, string path, string mergesPath, TokenizerConfig config)
    {
        string[] tokens = Tokens(vocabulary, path);
        List<(string, string)> merges = [];
        string[] lines = SmallFile.Text(mergesPath).Split('\n');
        for (int i = 0; i < lines.Length; i++)
        {
            string line = lines[i].TrimEnd('\r');
            if (line.StartsWith("#version", StringComparison.Ordinal) || (line.Length == 0 && i == lines.Length - 1))
                continue;
            string[] parts = line.Split(' ');
            if (parts.Length != 2)
                throw new TinyMoEException($"{mergesPath}, line {i + 1}, is '{Excerpt.Of(line, 40)}', not two tokens.");
            merges.Add((parts[0], parts[1]));
        }

        string name = config.ClassName ?? "GPT2Tokenizer";
        bool isQwen = name is "Qwen2Tokenizer" or "Qwen2TokenizerFast";
        if (!isQwen && name is not ("GPT2Tokenizer" or "GPT2TokenizerFast"))
        {
            throw new TinyMoEException($"{path}: {TokenizerConfig.FileName} has the class '{Excerpt.Of(name, 40)}'; of {Path.GetFileName(path)} "
                + "with merges.txt TinyMoE knows GPT2Tokenizer and Qwen2Tokenizer: take a tokenizer.json.");
        }

        List<AddedToken> added = Special.Of(config, tokens, path, isNormalized: !isQwen);
        return new JsonModel
        {
            Tokens = tokens,
            Merges = merges,
            AddedTokens = added,
            Normalizer = isQwen ? """{"type":"NFC"}""" : "null",
            PreTokenizer = isQwen ? JsonModel.Split(Cl100kScanner.PatternOf(@"\p{N}")) : JsonModel.ByteLevel(true),
            Decoder = JsonModel.ByteLevel(true),
            Around = Special.Around(config, added, path),
        }.ToTokenizer(path);
    }

    private static string[] Tokens(ReadOnlyMemory<byte> contents, string path)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(contents, new JsonDocumentOptions { AllowDuplicateProperties = false });
            JsonPart root = new(json.RootElement, path, "");
            (string Name, JsonPart Value)[] members = [.. root.Members()];
            string[] tokens = new string[members.Length];
            foreach ((string name, JsonPart value) in members)
            {
                int id = value.Number(members.Length - 1);
                if (tokens[id] != null)
                    throw value.Error($"has the id {id} of '{Excerpt.Of(tokens[id], 40)}'");
                tokens[id] = name;
            }

            return tokens;
        }
        catch (JsonException e)
        {
            throw new TinyMoEException($"{path} is not JSON of tokens and ids: {Excerpt.Of(e.Message)}", e);
        }
    }
}

/// <summary>The special tokens that a tokenizer_config.json names.</summary>
internal static class Special
{
    /// <summary>Those it lists, and those that it names for a use; new ones are numbered behind the vocabulary.</summary>
    public static List<AddedToken> Of(TokenizerConfig config, IReadOnlyList<string> tokens, string path, bool isNormalized)
    {
        List<AddedToken> added = [.. config.AddedTokens];
        string?[] named = [config.BeginToken, config.EndToken, config.UnknownToken, config.PadToken];
        foreach (string text in named.OfType<string>().Distinct().Where(text => text.Length > 0 && added.All(token => token.Text != text)))
        {
            int id = Find(tokens, text);
            if (id < 0)
                id = Math.Max(tokens.Count, added.Select(token => token.Id + 1).DefaultIfEmpty().Max());
            added.Add(new AddedToken(id, text, false, false, false, isNormalized, IsSpecial: true));
        }

        return added.Count <= 100_000 ? added : throw new TinyMoEException($"{path}: {TokenizerConfig.FileName} lists {added.Count} tokens.");
    }

    /// <summary>The tokens that begin and end every text.</summary>
    public static (string? Begin, string? End) Around(TokenizerConfig config, IReadOnlyList<AddedToken> added, string path)
    {
        return (Named(config.AddsBegin, config.BeginToken, "add_bos_token"), Named(config.AddsEnd, config.EndToken, "add_eos_token"));

        string? Named(bool? adds, string? token, string key) => adds != true ? null
            : added.Any(one => one.Text == token) ? token
            : throw new TinyMoEException($"{path}: {TokenizerConfig.FileName} has {key} without the token.");
    }

    private static int Find(IReadOnlyList<string> tokens, string text)
    {
        for (int id = 0; id < tokens.Count; id++)
        {
            if (tokens[id] == text)
                return id;
        }

        return -1;
    }
}
