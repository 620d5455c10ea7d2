using TinyMoE.Files;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>Reads the model of a tokenizer.json.</summary>
internal static class ModelJson
{
    /// <summary>The model; <paramref name="endsInBytes"/> tells that its words are written as bytes.</summary>
    public static BpeModel Read(JsonPart model, bool endsInBytes, DecoderJson.Decoder? decoder)
    {
        string type = model.Type.Length > 0 ? model.Type : model["merges"].IsNull ? "" : "BPE";
        if (type != "BPE")
            throw model["type"].Error(type.Length == 0 ? "is missing; TinyMoE knows BPE" : $"is '{Excerpt.Of(type, 40)}'; TinyMoE knows BPE");
        model.KnowOnly("dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges",
            "vocab", "merges", "max_token_length");
        JsonPart dropout = model["dropout"];
        if (!dropout.IsNull && !(dropout.Kind == System.Text.Json.JsonValueKind.Number && dropout.Element.GetDouble() == 0))
            throw dropout.Error($"is {dropout.Shown()}; dropout is for training, set it to null");

        BpeOptions options = new(
            model["unk_token"].TextOrNull(),
            model["fuse_unk"].Flag(false),
            model["byte_fallback"].Flag(false),
            model["ignore_merges"].Flag(false),
            NotEmpty(model["continuing_subword_prefix"].TextOrNull()),
            NotEmpty(model["end_of_word_suffix"].TextOrNull()));
        Vocabulary vocabulary = ReadVocabulary(model["vocab"]);
        if (options.Unknown != null && vocabulary.Find(options.Unknown) < 0)
            throw model["unk_token"].Error($"is '{Excerpt.Of(options.Unknown, 40)}', which is not in model.vocab");
        List<(int, int, int)> merges = ReadMerges(model["merges"], vocabulary, options.Prefix?.Length ?? 0);
        bool isByteLevel = endsInBytes && options is { Prefix: null, Suffix: null }
            && Enumerable.Range(0, 256).All(value => vocabulary.Find(ByteCharacters.Of((byte)value).ToString()) >= 0);
        return new BpeModel(vocabulary, merges, options, isByteLevel)
        {
            WritesBytes = endsInBytes || decoder is { ReadsBytes: true },
            HasMeta = decoder is { ReadsMeta: true },
        };
    }

    private static string? NotEmpty(string? text) => text is { Length: 0 } ? null : text;

    private static Vocabulary ReadVocabulary(JsonPart vocab)
    {
        List<(string Text, int Id)> tokens = [];
        int largest = -1;
        foreach ((string name, JsonPart value) in vocab.Members())
        {
            int id = value.Number(TokenizerJson.LargestId);
            tokens.Add((name, id));
            largest = Math.Max(largest, id);
        }

        if (largest > 4L * tokens.Count + (1 << 16))
            throw vocab.Error($"has {tokens.Count} tokens and an id of {largest}, so that nearly all ids have no token");
        string?[] texts = new string?[largest + 1];
        foreach ((string text, int id) in tokens)
        {
            if (texts[id] is { } other)
                throw vocab.Error($"has the id {id} twice, for '{Excerpt.Of(other, 40)}' and '{Excerpt.Of(text, 40)}'");
            texts[id] = text;
        }

        return new Vocabulary(texts);
    }

    // "a b" or ["a","b"]; the result is what both are together, without the prefix of the second.
    private static List<(int, int, int)> ReadMerges(JsonPart list, Vocabulary vocabulary, int prefix)
    {
        List<(int, int, int)> merges = [];
        foreach (JsonPart item in list.Items())
        {
            string[] parts = item.Kind == System.Text.Json.JsonValueKind.Array
                ? [.. item.Items().Select(part => part.Text())] : item.Text().Split(' ');
            if (parts.Length != 2)
                throw item.Error($"is {item.Shown()}, not two tokens");
            if (parts[1].Length < prefix)
                throw item.Error($"is {item.Shown()}, whose second token is shorter than model.continuing_subword_prefix");
            merges.Add((Find(parts[0]), Find(parts[1]), Find(parts[0] + parts[1][prefix..])));

            int Find(string token) => vocabulary.Find(token) is >= 0 and int id ? id
                : throw item.Error($"is {item.Shown()}, and '{Excerpt.Of(token, 40)}' is not in model.vocab");
        }

        return merges;
    }
}
