using TinyMoE.Tokenizers.Regexes;

namespace TinyMoE.Tokenizers.Bpe;

/// <summary>Makes tokens of words, one thread's; it remembers what it made of short ones.</summary>
internal sealed class WordEncoder(BpeModel model)
{
    private readonly Word word = new();

    /// <summary>Gives a sink the tokens of a text that a scanner cuts into words.</summary>
    public void EncodeText<TSink>(ReadOnlySpan<byte> utf8, int origin, Scanner scanner, ref TSink sink)
        where TSink : struct, IStretchSink
    {
        for (int at = 0; at < utf8.Length;)
        {
            int end = scanner.Next(utf8, at);
            model.Encode(utf8[at..end], word);
            int start = origin + at;
            for (int i = 0; i < word.Count; i++)
            {
                int behind = start + word.Lengths[i];
                sink.Add(word.Ids[i], start, behind);
                start = behind;
            }

            at = end;
        }
    }

    /// <summary>Gives a sink the tokens of a word.</summary>
    public void Encode<TSink>(Piece piece, ref TSink sink)
        where TSink : struct, IStretchSink
    {
        ReadOnlySpan<byte> utf8 = piece.Utf8;
        for (int from = 0; from < utf8.Length;)
        {
            int to = from + model.NextCut(utf8[from..], 1);
            model.Encode(utf8[from..to], word);
            int start = piece.Start + from;
            for (int i = 0; i < word.Count; i++)
            {
                // The bytes of a prefix that fell back are none of the text's.
                int behind = start + word.Lengths[i], first = Math.Min(start, piece.Start + to - 1);
                sink.Add(word.Ids[i], piece.Text.StartOf(first), piece.Text.EndOf(Math.Max(first, behind - 1)));
                start = behind;
            }

            from = to;
        }
    }
}
