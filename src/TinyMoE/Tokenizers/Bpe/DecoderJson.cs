using TinyMoE.Tokenizers.Decoders;
using TinyMoE.Tokenizers.PreTokenizers;
using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>Reads the decoder of a tokenizer.json.</summary>
internal static class DecoderJson
{
    private const int Deepest = 8;
    private const string Names = "ByteLevel, Metaspace, ByteFallback, Fuse, Replace, Strip and Sequence";

    /// <summary>The decoder; null: there is none.</summary>
    public static Decoder? Read(JsonPart part)
    {
        if (part.IsNull)
            return null;
        Decoder decoder = new([], false, false);
        return Add(part, decoder, depth: 0);
    }

    private static Decoder Add(JsonPart part, Decoder decoder, int depth)
    {
        if (depth > Deepest)
            throw part.Error($"is deeper than {Deepest} sequences");
        switch (part.Type)
        {
            case "ByteLevel":
                part.KnowOnly("add_prefix_space", "trim_offsets", "use_regex");
                return decoder.With(next => new ByteLevelStep { Next = next }) with { ReadsBytes = true };
            case "ByteFallback":
                part.KnowOnly();
                return decoder.With(next => new ByteFallbackStep { Next = next });
            case "Fuse":
                part.KnowOnly();
                return decoder.With(next => new FuseStep { Next = next });
            case "Metaspace":
                bool dropsFirst = PreTokenizerJson.SchemeOf(part) != PrependScheme.Never;
                System.Text.Rune replacement = part["replacement"].Character();
                return decoder.With(next => new MetaspaceStep(replacement, dropsFirst) { Next = next }) with { ReadsMeta = true };
            case "Strip":
                part.KnowOnly("content", "start", "stop");
                System.Text.Rune content = part["content"].Character();
                int start = part["start"].Number(int.MaxValue), stop = part["stop"].Number(int.MaxValue);
                return decoder.With(next => new StripStep(content, start, stop) { Next = next });
            case "Replace":
                part.KnowOnly("pattern", "content");
                (IPattern pattern, bool isLiteral, int length) = PatternJson.Read(part["pattern"]);
                string written = part["content"].Text();
                bool isMeta = isLiteral && written == " " && part["pattern"]["String"].TextOrNull() == "▁";
                decoder = decoder with { ReadsMeta = decoder.ReadsMeta || isMeta };
                return decoder.With(next => new ReplaceStep(pattern, written, isLiteral ? length : 0) { Next = next });
            case "Sequence":
                part.KnowOnly("decoders");
                return part["decoders"].Items().Aggregate(decoder, (all, item) => Add(item, all, depth + 1));
            default:
                throw part.Unknown("decoder", Names);
        }
    }

    /// <summary>The steps of a decoder, whether tokens write bytes as characters, and whether "▁" becomes a space.</summary>
    internal sealed record Decoder(IReadOnlyList<TokenStepKind> Steps, bool ReadsBytes, bool ReadsMeta)
    {
        /// <summary>The decoder with one more step.</summary>
        public Decoder With(TokenStepKind step) => this with { Steps = [.. Steps, step] };
    }
}
