using TinyMoE.Configuration;
using TinyMoE.Memory;

namespace TinyMoE.Tokenizers.Training;

/// <summary>
/// Counts the words of texts on several threads. A text is cut into its lines first, each with its \n, and every line is looked at by
/// itself: what is counted does not depend on the number of threads, nor on where blocks of lines end. In memory is what is different.
/// </summary>
internal sealed class WordCounter(TokenizerStyle style, int threads)
{
    private const int BlockSize = 1 << 20;

    /// <summary>What was counted.</summary>
    public WordCounts Counts { get; } = new();

    /// <summary>
    /// Counts the words of texts in UTF-8; <paramref name="begun"/> is told the bytes of every block whose turn it is, one after the other.
    /// </summary>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public void Add(IEnumerable<View<byte>> texts, Action<int>? begun, CancellationToken stop)
    {
        ParallelOptions options = new() { MaxDegreeOfParallelism = threads, CancellationToken = stop };
        Parallel.ForEach(
            texts.SelectMany(text => Blocks(text, begun)),
            options,
            () => (Cutter: WordCutter.Of(style), Counts: new WordCounts()),
            (block, _, own) =>
            {
                Count(block.Span, own.Cutter, own.Counts);
                return own;
            },
            own =>
            {
                lock (Counts)
                    Counts.Add(own.Counts);
            });
    }

    private static void Count(ReadOnlySpan<byte> block, WordCutter cutter, WordCounts counts)
    {
        while (!block.IsEmpty)
        {
            int end = block.IndexOf((byte)'\n') + 1;
            if (end == 0)
                end = block.Length;
            cutter.Cut(block[..end], counts);
            block = block[end..];
        }
    }

    /// <summary>Whole lines, as many as make a block, or one that is longer.</summary>
    private static IEnumerable<View<byte>> Blocks(View<byte> text, Action<int>? begun)
    {
        for (int start = 0; start < text.Length;)
        {
            int end = EndOfBlock(text, start);
            begun?.Invoke(end - start);
            yield return text.Slice(start, end - start);
            start = end;
        }
    }

    private static int EndOfBlock(View<byte> text, int start)
    {
        if (text.Length - start <= BlockSize)
            return text.Length;
        int next = text.Span[(start + BlockSize)..].IndexOf((byte)'\n');
        return next < 0 ? text.Length : start + BlockSize + next + 1;
    }
}
