using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using TinyMoE.Tokenizers.PreTokenizers;
using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>Takes a text through added tokens, normalizer, pre-tokenizer and model.</summary>
internal sealed class TextEncoder
{
    private readonly Pipeline pipeline;
    private readonly AddedTokenFinder raw;        // looked for in the text as it is
    private readonly AddedTokenFinder normalized; // looked for in the normalized text
    private readonly Scanner? scanner;            // gives the words by itself, where the text is not normalized
    private readonly ConcurrentBag<WordEncoder> idle = [];

    /// <summary>An encoder of these steps.</summary>
    public TextEncoder(Pipeline pipeline)
    {
        this.pipeline = pipeline;
        // Special tokens come first: of two that are looked for by the same bytes the first counts.
        List<AddedToken> tokens = [.. pipeline.AddedTokens.Where(token => token.IsSpecial), .. pipeline.AddedTokens.Where(token => !token.IsSpecial)];
        raw = new AddedTokenFinder([.. tokens.Where(token => !token.IsNormalized).Select(token => (token, Utf8Of(token)))]);
        normalized = new AddedTokenFinder([.. tokens.Where(token => token.IsNormalized).Select(token => (token, Normalize(token)))]);
        scanner = pipeline.Model.IsByteLevel ? ScannerOf(pipeline.PreTokenizer) : null;
    }

    /// <summary>Gives a sink the tokens of a text.</summary>
    public void Encode<TSink>(ReadOnlySpan<byte> utf8, ref TSink sink)
        where TSink : struct, ITokenSink
    {
        WordEncoder words = Rent();
        StartSink<TSink> starts = new() { Sink = sink };
        Encode(utf8, words, ref starts);
        sink = starts.Sink;
        idle.Add(words);
    }

    /// <summary>The tokens of a text with the bytes that each stands for.</summary>
    public IReadOnlyList<(int Id, int Start, int End)> EncodeWithPlaces(ReadOnlySpan<byte> utf8)
    {
        WordEncoder words = Rent();
        StretchSink stretches = new([]);
        Encode(utf8, words, ref stretches);
        idle.Add(words);
        return stretches.Stretches;
    }

    private static Scanner? ScannerOf(PreTokenizer? preTokenizer) => preTokenizer switch
    {
        BytePreTokenizer bytes => bytes.Scanner,
        SequencePreTokenizer { Parts: [BytePreTokenizer bytes] } => bytes.Scanner,
        SequencePreTokenizer { Parts: [SplitPreTokenizer split, BytePreTokenizer { OnlyWrites: true }] } => split.Scanner,
        _ => null,
    };

    private static byte[] Utf8Of(AddedToken token) => System.Text.Encoding.UTF8.GetBytes(token.Text);

    private byte[] Normalize(AddedToken token)
    {
        byte[] utf8 = Utf8Of(token);
        return pipeline.Normalizer == null ? utf8 : pipeline.Normalizer.Apply(new AlignedText(utf8, 0)).Utf8.ToArray();
    }

    private WordEncoder Rent() => idle.TryTake(out WordEncoder? words) ? words : new WordEncoder(pipeline.Model);

    private void Encode<TSink>(ReadOnlySpan<byte> utf8, WordEncoder words, ref TSink sink)
        where TSink : struct, IStretchSink
    {
        int from = 0, place = 0;
        while (raw.Find(utf8, from, ref place, out AddedToken? token, out int start, out int end))
        {
            if (from < start)
                EncodePart(utf8, from, start, words, ref sink);
            sink.Add(token!.Id, start, end);
            from = end;
        }

        if (from < utf8.Length)
            EncodePart(utf8, from, utf8.Length, words, ref sink);
    }

    // A part between added tokens that are looked for in the text as it is.
    private void EncodePart<TSink>(ReadOnlySpan<byte> utf8, int from, int to, WordEncoder words, ref TSink sink)
        where TSink : struct, IStretchSink
    {
        if (scanner != null && pipeline.Normalizer == null)
        {
            EncodeUnchanged(utf8[from..to], from, words, ref sink);
            return;
        }

        AlignedText text = new(utf8[from..to], from);
        text = pipeline.Normalizer?.Apply(text) ?? text;
        List<Piece> pieces = [];
        foreach (Piece piece in Parts(text))
        {
            if (piece.Id != Piece.NoToken)
            {
                sink.Add(piece.Id, piece.Text.StartOf(piece.Start), piece.Text.EndOf(piece.End - 1));
                continue;
            }

            pieces.Clear();
            if (pipeline.PreTokenizer == null)
                pieces.Add(piece);
            else
                pipeline.PreTokenizer.Split(piece, pieces);
            foreach (Piece word in pieces)
                words.Encode(word, ref sink);
        }
    }

    private void EncodeUnchanged<TSink>(ReadOnlySpan<byte> utf8, int origin, WordEncoder words, ref TSink sink)
        where TSink : struct, IStretchSink
    {
        int from = 0, place = 0;
        while (normalized.Find(utf8, from, ref place, out AddedToken? token, out int start, out int end))
        {
            if (from < start)
                words.EncodeText(utf8[from..start], origin + from, scanner!, ref sink);
            sink.Add(token!.Id, origin + start, origin + end);
            from = end;
        }

        if (from < utf8.Length)
            words.EncodeText(utf8[from..], origin + from, scanner!, ref sink);
    }

    private List<Piece> Parts(AlignedText text)
    {
        List<Piece> parts = [];
        int from = 0, place = 0;
        while (normalized.Find(text.Utf8, from, ref place, out AddedToken? token, out int start, out int end))
        {
            if (from < start)
                parts.Add(new Piece(text, from, start));
            parts.Add(new Piece(text, start, end, token!.Id));
            from = end;
        }

        if (from < text.Length)
            parts.Add(new Piece(text, from, text.Length));
        return parts;
    }

    /// <summary>Gives where tokens begin, and never a place before the last one.</summary>
    private struct StartSink<TSink> : IStretchSink
        where TSink : struct, ITokenSink
    {
        public TSink Sink;
        private int last;

        public void Add(int id, int start, int end) => Sink.Add(id, last = Math.Max(last, start));
    }

    /// <summary>Keeps what it gets.</summary>
    private readonly struct StretchSink(List<(int Id, int Start, int End)> stretches) : IStretchSink
    {
        public List<(int Id, int Start, int End)> Stretches => stretches;

        public void Add(int id, int start, int end) => stretches.Add((id, start, end));
    }
}

/// <summary>Receives tokens with the bytes of the text that each stands for.</summary>
internal interface IStretchSink
{
    /// <summary>The next token.</summary>
    void Add(int id, int start, int end);
}
