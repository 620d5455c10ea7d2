using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>Makes tokens of words, one thread's; it remembers what it made of short ones.</summary>
internal sealed class WordEncoder(BpeModel model)
{
    private readonly Word word = new();
    private readonly WordCache cache = new();

    /// <summary>Gives a sink the tokens of a text that a scanner cuts into words.</summary>
    public void EncodeText<TSink>(ReadOnlySpan<byte> utf8, int origin, Scanner scanner, ref TSink sink)
        where TSink : struct, IStretchSink
    {
        for (int at = 0; at < utf8.Length;)
        {
            int end = scanner.Next(utf8, at);
            EncodeWord(utf8, at, end, origin, ref sink);
            at = end;
        }
    }

    /// <summary>Gives a sink the tokens of the stretch of a text that is a word.</summary>
    public void EncodeWord<TSink>(ReadOnlySpan<byte> utf8, int from, int to, int origin, ref TSink sink)
        where TSink : struct, IStretchSink
    {
        int start = origin + from;
        if (to - from <= WordCache.Longest)
        {
            ref WordCache.Entry entry = ref cache.Find(utf8, from, to - from, out bool isThere);
            if (!isThere)
            {
                model.Encode(utf8[from..to], word);
                entry.Keep(word);
            }

            if (entry.Count > 0)
            {
                for (int i = 0; i < entry.Count; i++)
                {
                    (int id, int length) = entry[i];
                    sink.Add(id, start, start + length);
                    start += length;
                }

                return;
            }

            if (isThere)
                model.Encode(utf8[from..to], word);
        }
        else
        {
            model.Encode(utf8[from..to], word);
        }

        for (int i = 0; i < word.Count; i++)
        {
            int behind = start + word.Lengths[i];
            sink.Add(word.Ids[i], start, behind);
            start = behind;
        }
    }

    /// <summary>Gives a sink the tokens of a word.</summary>
    public void Encode<TSink>(Piece piece, ref TSink sink)
        where TSink : struct, IStretchSink
    {
        AlignedSink<TSink> aligned = new() { Sink = sink, Text = piece.Text, End = piece.End };
        ReadOnlySpan<byte> utf8 = piece.Text.Utf8[..piece.End];
        for (int from = piece.Start; from < piece.End;)
        {
            int to = from + model.NextCut(utf8[from..], 1);
            EncodeWord(utf8, from, to, 0, ref aligned);
            from = to;
        }

        sink = aligned.Sink;
    }

    /// <summary>Tells what the bytes of a changed text stand for.</summary>
    private struct AlignedSink<TSink> : IStretchSink
        where TSink : struct, IStretchSink
    {
        public TSink Sink;
        public AlignedText Text;
        public int End;

        // The bytes of a prefix that fell back are none of the text's.
        public void Add(int id, int start, int end)
        {
            start = Math.Min(start, End - 1);
            Sink.Add(id, Text.StartOf(start), Text.EndOf(Math.Max(start, end - 1)));
        }
    }
}
