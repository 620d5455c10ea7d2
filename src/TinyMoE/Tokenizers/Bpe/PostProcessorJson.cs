using TinyMoE.Files;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>What the post-processor of a tokenizer.json does.</summary>
/// <param name="Ids">The ids around a text's own ones, whose place is <see cref="Pipeline.OwnTokens"/>.</param>
/// <param name="Trims">For each time that white space is left out of the places of tokens: whether a space was put before the text.</param>
internal sealed record PostProcessorJson(IReadOnlyList<int> Ids, IReadOnlyList<bool> Trims)
{
    private const int Deepest = 8;
    private const string Names = "TemplateProcessing, ByteLevel and Sequence";

    /// <summary>Reads it; where there is none nothing is done.</summary>
    public static PostProcessorJson Read(JsonPart part, Vocabulary vocabulary, IReadOnlyList<AddedToken> added)
    {
        List<int> ids = [Pipeline.OwnTokens];
        List<bool> trims = [];
        int largest = Math.Max(vocabulary.Count - 1, added.Select(token => token.Id).DefaultIfEmpty().Max());
        Apply(part, 0);
        return new PostProcessorJson(ids, trims);

        void Apply(JsonPart part, int depth)
        {
            if (part.IsNull)
                return;
            if (depth > Deepest)
                throw part.Error($"is deeper than {Deepest} sequences");
            switch (part.Type)
            {
                case "ByteLevel":
                    part.KnowOnly("add_prefix_space", "trim_offsets", "use_regex");
                    if (part["trim_offsets"].Flag(true))
                        trims.Add(part["add_prefix_space"].Flag(true));
                    break;
                case "TemplateProcessing":
                    part.KnowOnly("single", "pair", "special_tokens");
                    List<int> template = [.. part["single"].Items().SelectMany(item => Piece(item, part["special_tokens"], largest))];
                    ids = [.. template.SelectMany(id => id == Pipeline.OwnTokens ? ids : [id])];
                    break;
                case "Sequence":
                    part.KnowOnly("processors");
                    foreach (JsonPart item in part["processors"].Items())
                        Apply(item, depth + 1);
                    break;
                default:
                    throw part.Unknown("post-processor", Names);
            }

            if (ids.Count > 1024 || trims.Count > 64)
                throw part.Error("puts more than 1,024 tokens around a text");
        }
    }

    private static IEnumerable<int> Piece(JsonPart item, JsonPart specials, int largest)
    {
        item.KnowOnly("Sequence", "SpecialToken");
        if (!item["Sequence"].IsNull)
        {
            JsonPart id = item["Sequence"]["id"];
            return id.Text() == "A" ? [Pipeline.OwnTokens] : throw id.Error($"is {id.Shown()}; a single text is A");
        }

        string name = item["SpecialToken"]["id"].Text();
        JsonPart token = specials[name];
        if (token.IsNull)
            throw item.Error($"names '{Excerpt.Of(name, 40)}', which special_tokens does not have");
        return [.. token["ids"].Items().Select(id => id.Number(largest))];
    }
}
