using TinyMoE.Files;
using TinyMoE.Tokenizers.PreTokenizers;
using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>Reads the pre-tokenizer of a tokenizer.json.</summary>
internal static class PreTokenizerJson
{
    private const int Deepest = 8;
    private const string Names = "ByteLevel, Split, Metaspace, Digits, Punctuation, Whitespace, WhitespaceSplit and Sequence";

    /// <summary>
    /// The pre-tokenizer; null: there is none. A <c>ByteLevel</c> at the end writes characters for bytes if <paramref name="writes"/> says
    /// so; elsewhere it always does.
    /// </summary>
    public static PreTokenizer? Read(JsonPart part, int depth, bool writes = false)
    {
        if (part.IsNull)
            return null;
        if (depth > Deepest)
            throw part.Error($"is deeper than {Deepest} sequences");
        switch (part.Type)
        {
            case "ByteLevel":
                part.KnowOnly("add_prefix_space", "trim_offsets", "use_regex");
                return new BytePreTokenizer(part["add_prefix_space"].Flag(true), part["use_regex"].Flag(true), writes);
            case "Split":
                part.KnowOnly("pattern", "behavior", "invert");
                return new SplitPreTokenizer(
                    PatternJson.Read(part["pattern"]).Pattern, BehaviorOf(part["behavior"]), part["invert"].Flag(false));
            case "Metaspace":
                return Metaspace(part);
            case "Digits":
                part.KnowOnly("individual_digits");
                return new KindPreTokenizer(
                    Unicode.IsNumber, part["individual_digits"].Flag(false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous);
            case "Punctuation":
                part.KnowOnly("behavior");
                return new KindPreTokenizer(PunctuationMarks.Has, part["behavior"].IsNull ? SplitBehavior.Isolated : BehaviorOf(part["behavior"]));
            case "Whitespace":
                part.KnowOnly();
                return new WhitespacePreTokenizer();
            case "WhitespaceSplit":
                part.KnowOnly();
                return new KindPreTokenizer(Unicode.IsSpace, SplitBehavior.Removed);
            case "Sequence":
                part.KnowOnly("pretokenizers");
                JsonPart[] items = [.. part["pretokenizers"].Items()];
                return new SequencePreTokenizer([.. Flat(
                    items.Select((item, i) => Read(item, depth + 1, writes || i + 1 < items.Length || depth > 0)!))]);
            default:
                throw part.Unknown("pre-tokenizer", Names);
        }
    }

    /// <summary>The scheme of a Metaspace, of a pre-tokenizer or of a decoder.</summary>
    public static PrependScheme SchemeOf(JsonPart part)
    {
        part.KnowOnly("replacement", "add_prefix_space", "prepend_scheme", "split", "str_rep");
        string? name = part["prepend_scheme"].TextOrNull();
        PrependScheme scheme = name switch
        {
            null or "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            _ => throw part["prepend_scheme"].Error($"is '{Excerpt.Of(name, 40)}'; known are always, first and never"),
        };
        if (part["add_prefix_space"].Flag(true))
            return scheme;
        return name == null || scheme == PrependScheme.Never ? PrependScheme.Never
            : throw part["add_prefix_space"].Error($"is false, and prepend_scheme is '{name}': the two do not go together");
    }

    private static MetaspacePreTokenizer Metaspace(JsonPart part) =>
        new(part["replacement"].Character(), SchemeOf(part), part["split"].Flag(true));

    private static IEnumerable<PreTokenizer> Flat(IEnumerable<PreTokenizer> parts) =>
        parts.SelectMany(part => part is SequencePreTokenizer sequence ? sequence.Parts : [part]);

    private static SplitBehavior BehaviorOf(JsonPart part) => part.Text() switch
    {
        "Isolated" => SplitBehavior.Isolated,
        "Removed" => SplitBehavior.Removed,
        "MergedWithPrevious" => SplitBehavior.MergedWithPrevious,
        "MergedWithNext" => SplitBehavior.MergedWithNext,
        "Contiguous" => SplitBehavior.Contiguous,
        var other => throw part.Error($"is '{Excerpt.Of(other, 40)}'; known are {string.Join(", ", Enum.GetNames<SplitBehavior>())}"),
    };
}
