using System.Text;
using TinyMoE.Tokenizers.Normalizers;
using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>Reads the normalizer of a tokenizer.json.</summary>
internal static class NormalizerJson
{
    private const int Deepest = 8;
    private const string Names = "NFC, NFD, NFKC, NFKD, Replace, Prepend, Lowercase, Strip, ByteLevel and Sequence";

    /// <summary>The normalizer; null: there is none.</summary>
    public static Normalizer? Read(JsonPart part, int depth)
    {
        if (part.IsNull)
            return null;
        if (depth > Deepest)
            throw part.Error($"is deeper than {Deepest} sequences");
        switch (part.Type)
        {
            case "NFC" or "NFD" or "NFKC" or "NFKD":
                part.KnowOnly();
                return new UnicodeNormalizer(part.Type[^1] == 'C', part.Type.Contains('K', StringComparison.Ordinal));
            case "Lowercase":
                part.KnowOnly();
                return new LowercaseNormalizer();
            case "Strip":
                part.KnowOnly("strip_left", "strip_right");
                return new StripNormalizer(part["strip_left"].Flag(true), part["strip_right"].Flag(true));
            case "Prepend":
                part.KnowOnly("prepend");
                return new PrependNormalizer(Encoding.UTF8.GetBytes(part["prepend"].Text()));
            case "Replace":
                part.KnowOnly("pattern", "content");
                (IPattern pattern, bool isLiteral, _) = PatternJson.Read(part["pattern"]);
                return new ReplaceNormalizer(pattern, Encoding.UTF8.GetBytes(part["content"].Text()), isLiteral);
            case "ByteLevel":
                part.KnowOnly();
                return new ByteNormalizer();
            case "Sequence":
                part.KnowOnly("normalizers");
                return new SequenceNormalizer([.. part["normalizers"].Items().Select(item => Read(item, depth + 1)!)]);
            default:
                throw part.Unknown("normalizer", Names);
        }
    }
}
