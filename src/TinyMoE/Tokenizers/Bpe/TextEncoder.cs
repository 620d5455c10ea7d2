using System.Collections.Concurrent;
using TinyMoE.Tokenizers.PreTokenizers;
using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>
/// Takes a text through added tokens, normalizer, pre-tokenizer and model. A long text is cut into blocks where that changes nothing, and
/// they are worked on in parallel; the ids do not depend on the number of threads.
/// </summary>
internal sealed class TextEncoder
{
    private const int ParallelFrom = 1 << 20; // bytes

    private readonly Pipeline pipeline;
    private readonly AddedTokenFinder raw;        // looked for in the text as it is
    private readonly AddedTokenFinder normalized; // looked for in the normalized text
    private readonly Scanner? scanner;            // gives the words by itself, where the text is not normalized
    private readonly TextCut cut;
    private readonly ConcurrentBag<WordEncoder> idle = [];

    /// <summary>An encoder of these steps.</summary>
    public TextEncoder(Pipeline pipeline)
    {
        this.pipeline = pipeline;
        // Special tokens come first: of two that are looked for by the same bytes the first counts.
        AddedToken[] tokens = [.. pipeline.AddedTokens.OrderByDescending(token => token.IsSpecial)];
        raw = new AddedTokenFinder([.. tokens.Where(token => !token.IsNormalized).Select(token => (token, Utf8Of(token)))]);
        normalized = new AddedTokenFinder([.. tokens.Where(token => token.IsNormalized).Select(token => (token, Normalize(token)))]);
        scanner = pipeline.Model.IsByteLevel ? ScannerOf(pipeline.PreTokenizer) : null;
        cut = TextCutting.Of(pipeline, normalized);
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
                EncodePart(utf8[from..start], from, words, ref sink);
            sink.Add(token!.Id, start, end);
            from = end;
        }

        if (from < utf8.Length)
            EncodePart(utf8[from..], from, words, ref sink);
    }

    // A part between added tokens that are looked for in the text as it is; without a normalizer the others are looked for at once.
    private void EncodePart<TSink>(ReadOnlySpan<byte> utf8, int origin, WordEncoder words, ref TSink sink)
        where TSink : struct, IStretchSink
    {
        if (pipeline.Normalizer != null)
        {
            EncodeLong(utf8, origin, words, ref sink);
            return;
        }

        int from = 0, place = 0;
        while (normalized.Find(utf8, from, ref place, out AddedToken? token, out int start, out int end))
        {
            if (from < start)
                EncodeLong(utf8[from..start], origin + from, words, ref sink);
            sink.Add(token!.Id, origin + start, origin + end);
            from = end;
        }

        if (from < utf8.Length)
            EncodeLong(utf8[from..], origin + from, words, ref sink);
    }

    // Block by block, many at a time where the text is long.
    private void EncodeLong<TSink>(ReadOnlySpan<byte> utf8, int origin, WordEncoder words, ref TSink sink)
        where TSink : struct, IStretchSink
    {
        int round = Environment.ProcessorCount * 4, from = 0;
        if (cut != TextCut.Nowhere && utf8.Length >= ParallelFrom && Environment.ProcessorCount > 1)
        {
            while (from < utf8.Length)
            {
                List<int> ends = [];
                for (int end = from; end < utf8.Length && ends.Count < round;)
                    ends.Add(end = TextCutting.BlockEnd(utf8, end, cut));
                EncodeTogether(utf8, from, ends, origin, ref sink);
                from = ends[^1];
            }

            return;
        }

        while (from < utf8.Length)
        {
            int end = TextCutting.BlockEnd(utf8, from, cut);
            EncodeBlock(utf8[from..end], origin + from, isContinued: from > 0, words, ref sink);
            from = end;
        }
    }

    private unsafe void EncodeTogether<TSink>(ReadOnlySpan<byte> utf8, int from, List<int> ends, int origin, ref TSink sink)
        where TSink : struct, IStretchSink
    {
        List<(int Id, int Start, int End)>[] blocks = new List<(int, int, int)>[ends.Count];
        fixed (byte* text = utf8)
        {
            nint address = (nint)text; // the text stays where it is until all blocks are done
            Parallel.For(0, ends.Count, i =>
            {
                int start = i == 0 ? from : ends[i - 1];
                WordEncoder words = Rent();
                StretchSink stretches = new(new List<(int, int, int)>((ends[i] - start) / 3));
                EncodeBlock(new ReadOnlySpan<byte>((byte*)address + start, ends[i] - start), origin + start, start > 0, words, ref stretches);
                blocks[i] = stretches.Stretches;
                idle.Add(words);
            });
        }

        foreach (List<(int Id, int Start, int End)> block in blocks)
        {
            foreach ((int id, int start, int end) in block)
                sink.Add(id, start, end);
        }
    }

    private void EncodeBlock<TSink>(ReadOnlySpan<byte> utf8, int origin, bool isContinued, WordEncoder words, ref TSink sink)
        where TSink : struct, IStretchSink
    {
        if (pipeline.Normalizer == null && scanner != null)
        {
            words.EncodeText(utf8, origin, scanner, ref sink);
            return;
        }

        AlignedText text = new(utf8, origin) { IsContinued = isContinued };
        if (pipeline.Normalizer == null)
        {
            EncodePiece(new Piece(text, 0, text.Length), words, ref sink);
            return;
        }

        AlignedText changed = pipeline.Normalizer.Apply(text);
        if (scanner != null && normalized.IsEmpty && changed.Utf8.SequenceEqual(utf8))
        {
            words.EncodeText(utf8, origin, scanner, ref sink);
            return;
        }

        foreach (Piece piece in Parts(changed))
        {
            if (piece.Id == Piece.NoToken)
                EncodePiece(piece, words, ref sink);
            else
                sink.Add(piece.Id, piece.Text.StartOf(piece.Start), piece.Text.EndOf(piece.End - 1));
        }
    }

    private void EncodePiece<TSink>(Piece piece, WordEncoder words, ref TSink sink)
        where TSink : struct, IStretchSink
    {
        if (pipeline.PreTokenizer == null)
        {
            words.Encode(piece, ref sink);
            return;
        }

        List<Piece> pieces = [];
        pipeline.PreTokenizer.Split(piece, pieces);
        foreach (Piece word in pieces)
            words.Encode(word, ref sink);
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
