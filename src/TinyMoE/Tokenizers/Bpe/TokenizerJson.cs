using System.Text.Json;
using TinyMoE.Files;
using TinyMoE.Tokenizers.PreTokenizers;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>
/// Reads a tokenizer.json of Hugging Face (huggingface/tokenizers). What is not known and may change tokens or text is refused by name.
/// </summary>
internal static class TokenizerJson
{
    /// <summary>Largest id; a vocabulary of the largest models has some 300,000.</summary>
    public const int LargestId = 1 << 24;

    private static readonly string[] Known =
        ["version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "post_processor", "decoder", "model"];

    /// <summary>The steps that a file describes; <paramref name="path"/> names it in errors.</summary>
    public static Pipeline Read(ReadOnlyMemory<byte> contents, string path)
    {
        try
        {
            using JsonDocument json = JsonDocument.Parse(contents, new JsonDocumentOptions { AllowDuplicateProperties = false });
            return Read(new JsonPart(json.RootElement, path, ""));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) // the latter: half a surrogate pair
        {
            throw new TinyMoEException($"{path} is not JSON as a tokenizer.json is: {Excerpt.Of(e.Message)}", e);
        }
    }

    /// <summary>The steps that a file describes, given what is in it.</summary>
    public static Pipeline Read(JsonPart root)
    {
        if (root["version"] is { IsNull: false } version && version.Text() != "1.0")
            throw version.Error($"is {version.Shown()}; TinyMoE knows 1.0");
        PreTokenizer? preTokenizer = PreTokenizerJson.Read(root["pre_tokenizer"], depth: 0);
        bool endsInBytes = preTokenizer is BytePreTokenizer or SequencePreTokenizer { Parts: [.., BytePreTokenizer] };
        DecoderJson.Decoder? decoder = DecoderJson.Read(root["decoder"]);
        BpeModel model = ModelJson.Read(root["model"], endsInBytes, decoder);
        if (!model.IsByteLevel)
            preTokenizer = PreTokenizerJson.Read(root["pre_tokenizer"], depth: 0, writes: true);
        List<AddedToken> added = AddedTokens(root["added_tokens"], model.Vocabulary);
        PostProcessorJson template = PostProcessorJson.Read(root["post_processor"], model.Vocabulary, added);
        return new Pipeline
        {
            AddedTokens = added,
            Normalizer = NormalizerJson.Read(root["normalizer"], depth: 0),
            PreTokenizer = preTokenizer,
            Model = model,
            Template = template.Ids,
            Trims = template.Trims,
            Decoder = decoder?.Steps,
            Notes = [.. NotesOf(root)],
        };
    }

    private static IEnumerable<string> NotesOf(JsonPart root)
    {
        foreach (string name in (string[])["truncation", "padding"])
        {
            if (!root[name].IsNull)
                yield return $"{name} is left out: TinyMoE cuts and pads by itself";
        }

        foreach ((string name, _) in root.Members())
        {
            if (!Known.Contains(name))
                yield return $"{Excerpt.Of(name, 40)} is left out: it is no part of a tokenizer";
        }
    }

    // The library gives ids by itself: a token of the model keeps its id, others are numbered behind the model's.
    private static List<AddedToken> AddedTokens(JsonPart list, Vocabulary vocabulary)
    {
        List<AddedToken> tokens = [];
        Dictionary<string, int> known = [];
        HashSet<int> ids = [];
        int largest = -1;
        foreach (JsonPart item in list.IsNull ? [] : list.Items())
        {
            item.KnowOnly("id", "content", "single_word", "lstrip", "rstrip", "normalized", "special");
            string text = item["content"].Text();
            int id = item["id"].Number(LargestId);
            bool isSpecial = item["special"].Flag(false);
            if (text.Length == 0)
                continue; // as the library does
            int expected = known.TryGetValue(text, out int same) ? same
                : vocabulary.Find(text) is >= 0 and int found ? found
                : Math.Max(vocabulary.Tokens, largest >= vocabulary.Tokens ? largest + 1 : 0);
            if (id != expected)
            {
                throw item.Error($"has the id {id} for '{Excerpt.Of(text, 40)}', whose id in this file is {expected} to Hugging Face's "
                    + "library; write it so");
            }

            AddedToken token = new(id, text, item["single_word"].Flag(false), item["lstrip"].Flag(false), item["rstrip"].Flag(false),
                item["normalized"].Flag(!isSpecial), isSpecial);
            if (!ids.Add(id))
                tokens.RemoveAll(other => other.Id == id); // the last one counts
            tokens.Add(token);
            known[text] = id;
            largest = Math.Max(largest, id);
        }

        return tokens;
    }
}
