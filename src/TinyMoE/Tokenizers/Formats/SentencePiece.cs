using TinyMoE.Files;
using TinyMoE.Tokenizers.Bpe;

namespace TinyMoE.Tokenizers.Formats;

/// <summary>
/// Reads a model of SentencePiece (google/sentencepiece, <c>sentencepiece_model.proto</c>) of type BPE, and says it as transformers does.
/// </summary>
internal static class SentencePiece
{
    private const int Unigram = 1, Bpe = 2;
    private const string Meta = "▁";

    private enum PieceType
    {
        Normal = 1,
        Unknown = 2,
        Control = 3,
        UserDefined = 4,
        Unused = 5,
        Byte = 6,
    }

    /// <summary>The tokenizer of a model.</summary>
    public static BpeTokenizer Read(ReadOnlySpan<byte> contents, string path, TokenizerConfig config)
    {
        List<(string Text, float Score, PieceType Type)> pieces = [];
        int type = Unigram;
        bool fallsBack = false, prefixes = true, trims = true, escapes = true, isSuffix = false;
        string normalizer = "";
        int charsmap = 0;
        ProtoReader model = new(contents, path, 0);
        while (model.Next())
        {
            switch (model.Field)
            {
                case 1:
                    pieces.Add(ReadPiece(model.Message(), pieces.Count, path));
                    break;
                case 2:
                    ProtoReader trainer = model.Message();
                    while (trainer.Next())
                    {
                        type = trainer.Field == 3 ? trainer.Int() : type;
                        isSuffix = trainer.Field == 24 ? trainer.Int() != 0 : isSuffix;
                        fallsBack = trainer.Field == 35 ? trainer.Int() != 0 : fallsBack;
                    }

                    break;
                case 3:
                    ProtoReader rules = model.Message();
                    while (rules.Next())
                    {
                        normalizer = rules.Field == 1 ? rules.Text() : normalizer;
                        charsmap = rules.Field == 2 ? rules.Bytes().Length : charsmap;
                        prefixes = rules.Field == 3 ? rules.Int() != 0 : prefixes;
                        trims = rules.Field == 4 ? rules.Int() != 0 : trims;
                        escapes = rules.Field == 5 ? rules.Int() != 0 : escapes;
                    }

                    break;
            }
        }

        if (pieces.Count == 0)
            throw new TinyMoEException(
                $"{path} is no tokenizer that TinyMoE knows: not JSON, no lines of tiktoken, no model of SentencePiece.");
        if (type != Bpe)
        {
            throw new TinyMoEException(
                $"{path} is a model of SentencePiece of type {(type == Unigram ? "Unigram" : type)}; TinyMoE knows BPE: "
                + "take a tokenizer.json with a model of type BPE.");
        }

        if (charsmap > 0)
        {
            throw new TinyMoEException(
                $"{path} normalizes text by rules of its own ('{Excerpt.Of(normalizer, 40)}'), which TinyMoE does not "
                + "know; models with 'identity' have none: take a tokenizer.json.");
        }

        if (isSuffix || !escapes)
            throw new TinyMoEException($"{path} writes spaces behind words, or not as {Meta}; TinyMoE does not know this.");
        return Make(pieces, fallsBack, prefixes, trims, path, config);
    }

    private static (string Text, float Score, PieceType Type) ReadPiece(ProtoReader piece, int id, string path)
    {
        (string text, float score, PieceType type) = ("", 0, PieceType.Normal);
        while (piece.Next())
        {
            text = piece.Field == 1 ? piece.Text() : text;
            score = piece.Field == 2 ? piece.Float() : score;
            type = piece.Field == 3 ? (PieceType)piece.Int() : type;
        }

        if (text.Length == 0)
            throw new TinyMoEException($"{path}: piece {id} is empty.");
        if (!float.IsFinite(score))
            throw new TinyMoEException($"{path}: piece {id} has no score.");
        return Enum.IsDefined(type) ? (text, score, type)
            : throw new TinyMoEException($"{path}: piece {id} is of the unknown type {(int)type}.");
    }

    private static BpeTokenizer Make(
        List<(string Text, float Score, PieceType Type)> pieces, bool fallsBack, bool prefixes, bool trims, string path,
            TokenizerConfig config)
    {
        HashSet<string> known = [];
        for (int id = 0; id < pieces.Count; id++)
        {
            if (!known.Add(pieces[id].Text))
                throw new TinyMoEException($"{path}: piece {id}, '{Excerpt.Of(pieces[id].Text, 40)}', was there before.");
        }

        string[] tokens = [.. pieces.Select(piece => piece.Text)];
        List<AddedToken> added = [];
        string? unknown = null;
        for (int id = 0; id < pieces.Count; id++)
        {
            PieceType type = pieces[id].Type;
            unknown = type == PieceType.Unknown ? tokens[id] : unknown;
            if (type is PieceType.Unknown or PieceType.Control or PieceType.UserDefined)
                added.Add(new AddedToken(id, tokens[id], false, false, false, false, IsSpecial: type != PieceType.UserDefined));
        }

        foreach (AddedToken token in config.AddedTokens.Where(token => added.All(other => other.Text != token.Text)))
            added.Add(token);
        List<string> normalizers = [];
        if (trims)
        {
            normalizers.Add("""{"type":"Strip","strip_left":true,"strip_right":true}""");
            normalizers.Add("""{"type":"Replace","pattern":{"Regex":" {2,}"},"content":" "}""");
        }

        if (prefixes)
            normalizers.Add("""{"type":"Prepend","prepend":"▁"}""");
        normalizers.Add("""{"type":"Replace","pattern":{"String":" "},"content":"▁"}""");
        List<string> decoders =
        [
            """{"type":"Replace","pattern":{"String":"▁"},"content":" "}""", """{"type":"ByteFallback"}""", """{"type":"Fuse"}""",
        ];
        if (prefixes)
            decoders.Add("""{"type":"Strip","content":" ","start":1,"stop":0}""");
        return new JsonModel
        {
            Tokens = tokens,
            Merges = Merges(pieces),
            Options = new BpeOptions(unknown, FuseUnknown: true, ByteFallback: fallsBack),
            AddedTokens = added,
            Normalizer = $$"""{"type":"Sequence","normalizers":[{{string.Join(',', normalizers)}}]}""",
            Decoder = $$"""{"type":"Sequence","decoders":[{{string.Join(',', decoders)}}]}""",
            Around = Special.Around(config, added, path),
        }.ToTokenizer(path);
    }

    // The pair whose union has the highest score comes first: for every piece, by score, all ways to put it together of two.
    private static List<(string Left, string Right)> Merges(List<(string Text, float Score, PieceType Type)> pieces)
    {
        Dictionary<string, int> ids = new(StringComparer.Ordinal);
        for (int id = 0; id < pieces.Count; id++)
        {
            if (pieces[id].Type is PieceType.Normal or PieceType.UserDefined)
                ids.Add(pieces[id].Text, id);
        }

        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> byText = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        List<(string, string)> merges = [];
        foreach (int id in ids.Values.Where(id => pieces[id].Type == PieceType.Normal).OrderByDescending(id => pieces[id].Score).ThenBy(
            id => id))
        {
            string text = pieces[id].Text;
            List<(int Left, int Right)> ways = [];
            for (int cut = 1; cut < text.Length; cut++)
            {
                if (byText.TryGetValue(text.AsSpan(0, cut), out int left) && byText.TryGetValue(text.AsSpan(cut), out int right))
                    ways.Add((left, right));
            }

            ways.Sort();
            merges.AddRange(ways.Select(way => (pieces[way.Left].Text, pieces[way.Right].Text)));
        }

        return merges;
    }
}
