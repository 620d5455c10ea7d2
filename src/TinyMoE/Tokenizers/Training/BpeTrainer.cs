using System.Text;

namespace TinyMoE.Tokenizers.Training;

/// <summary>
/// Byte-pair encoding (Sennrich, Haddow and Birch 2016, arXiv:1508.07909): of all pairs of neighbours in the words of a text the commonest
/// becomes a token, again and again. It merges what huggingface/tokenizers merges, in the same order:
/// <list type="bullet">
/// <item>ids are those of the first tokens, then of the alphabet by code point, then of the merges;</item>
/// <item>of two pairs that are equally common, the one with the smaller ids is merged first;</item>
/// <item>counts change only by what a merge does to the neighbours: aaa has the pair aa twice;</item>
/// <item>a pair whose union is a token already gets that token's id.</item>
/// </list>
/// Only the words that have a pair are looked at when it is merged. The order and the number of threads that counted the words make no
/// difference.
/// </summary>
public sealed class BpeTrainer
{
    private const int MergesBetweenReports = 256;

    private readonly BpeTrainerOptions options;
    private readonly TrainedWords words;
    private readonly List<string> tokens;
    private readonly Dictionary<string, int> ids;
    private readonly List<(int Left, int Right)> merges = [];
    private readonly PriorityQueue<Candidate, Candidate> queue = new(Commonest.First);

    private BpeTrainer(WordCounts counts, BpeTrainerOptions options)
    {
        this.options = options;
        tokens = [.. options.FirstTokens.Distinct()];
        ids = tokens.Index().ToDictionary(token => token.Item, token => token.Index);
        Dictionary<Rune, int> alphabet = [];
        foreach (Rune letter in Alphabet.Of(counts, options))
            alphabet.Add(letter, IdOf(letter.ToString()));
        if (tokens.Count > options.Vocabulary)
            throw new TinyMoEException(TooSmall(options, tokens.Count));
        words = new TrainedWords(counts, options.Bytes, alphabet);
    }

    /// <summary>Trains on these words; <paramref name="progress"/> is told how many tokens there are.</summary>
    /// <exception cref="TinyMoEException">The first tokens and the alphabet are more than the vocabulary.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="stop"/> was cancelled.</exception>
    public static BpeVocabulary Train(
        WordCounts words, BpeTrainerOptions options, Action<int>? progress = null, CancellationToken stop = default)
    {
        BpeTrainer trainer = new(words, options);
        trainer.Merge(progress, stop);
        return new BpeVocabulary(trainer.tokens, Once(trainer.merges), trainer.words.Tokens);
    }

    private void Merge(Action<int>? progress, CancellationToken stop)
    {
        Offer();
        while (tokens.Count < options.Vocabulary && queue.TryDequeue(out Candidate best, out _))
        {
            long count = words.CountOf(best.Pair);
            if (count != best.Count)
            {
                best = best with { Count = count };
                queue.Enqueue(best, best);
                continue;
            }

            if (count < Math.Max(1, options.LeastFrequency))
                break;
            words.Merge(best.Pair, best.Words, IdOf(tokens[best.Left] + tokens[best.Right]));
            merges.Add((best.Left, best.Right));
            Offer();
            stop.ThrowIfCancellationRequested();
            if (merges.Count % MergesBetweenReports == 0)
                progress?.Invoke(tokens.Count);
        }
    }

    /// <summary>Puts the pairs into the queue that have come up since the last time.</summary>
    private void Offer()
    {
        foreach ((int pair, List<int> places) in words.TakeNewPairs())
        {
            (int left, int right) = words.IdsOf(pair);
            Candidate candidate = new(words.CountOf(pair), left, right, pair, places);
            if (candidate.Count > 0)
                queue.Enqueue(candidate, candidate);
        }
    }

    private int IdOf(string token)
    {
        if (!ids.TryGetValue(token, out int id))
        {
            ids.Add(token, id = tokens.Count);
            tokens.Add(token);
        }

        return id;
    }

    // A pair that comes up again, since its left or right token was made in a second way, is merged again: the last place counts.
    private static List<(int Left, int Right)> Once(List<(int Left, int Right)> merges)
    {
        HashSet<(int Left, int Right)> seen = [];
        List<(int Left, int Right)> once = [.. Enumerable.Reverse(merges).Where(seen.Add)];
        once.Reverse();
        return once;
    }

    private static string TooSmall(BpeTrainerOptions options, int least)
    {
        int first = options.FirstTokens.Distinct().Count();
        return $"A vocabulary of {options.Vocabulary} is too small: the alphabet of the text has {least - first} characters, and there are "
            + $"{first} special and byte tokens; take at least {least}, or fewer characters.";
    }

    /// <summary>A pair, how common it was when it was put into the queue, and the words that it was found in then.</summary>
    private readonly record struct Candidate(long Count, int Left, int Right, int Pair, List<int> Words);

    private sealed class Commonest : IComparer<Candidate>
    {
        public static Commonest First { get; } = new();

        public int Compare(Candidate x, Candidate y)
        {
            int order = y.Count.CompareTo(x.Count);
            if (order == 0)
                order = x.Left.CompareTo(y.Left);
            return order != 0 ? order : x.Right.CompareTo(y.Right);
        }
    }
}
