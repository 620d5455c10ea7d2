using System.Runtime.InteropServices;
using System.Text;

namespace TinyMoE.Tokenizers.Training;

/// <summary>
/// The words of a text as ids of tokens, how often each pair of neighbours occurs, and which words have a pair that came up: what changes
/// with every merge.
/// </summary>
internal sealed class TrainedWords
{
    private readonly int[] starts;    // of each word in the ids
    private readonly int[] lengths;   // of each word, in tokens
    private readonly long[] times;    // that each word occurs
    private readonly List<int> ids = []; // of all words, one behind the other
    private readonly Dictionary<ulong, int> numbers = []; // of the pairs
    private readonly List<Pair> pairs = [];
    private readonly List<int> fresh = []; // pairs that came up since they were taken

    /// <summary>The words in single characters; those that are not in the alphabet are left out.</summary>
    public TrainedWords(WordCounts words, bool bytes, Dictionary<Rune, int> alphabet)
    {
        starts = new int[words.Count];
        lengths = new int[words.Count];
        times = new long[words.Count];
        for (int word = 0; word < words.Count; word++)
        {
            starts[word] = ids.Count;
            times[word] = words.CountOf(word);
            foreach (Rune letter in new Letters(words[word], bytes))
            {
                if (alphabet.TryGetValue(letter, out int id))
                    ids.Add(id);
            }

            lengths[word] = ids.Count - starts[word];
            for (int i = starts[word] + 1; i < ids.Count; i++)
                Rise(ids[i - 1], ids[i], word);
        }
    }

    /// <summary>How many tokens the words have now, each as often as it occurs.</summary>
    public long Tokens => lengths.Zip(times, (length, each) => length * each).Sum();

    /// <summary>How often a pair occurs.</summary>
    public long CountOf(int pair) => pairs[pair].Count;

    /// <summary>The ids of a pair's two tokens.</summary>
    public (int Left, int Right) IdsOf(int pair) => ((int)(pairs[pair].Key >> 32), (int)pairs[pair].Key);

    /// <summary>The pairs that came up since the last time, each with the words that it came up in.</summary>
    public IEnumerable<(int Pair, List<int> Words)> TakeNewPairs()
    {
        Span<Pair> all = CollectionsMarshal.AsSpan(pairs);
        List<(int Pair, List<int> Words)> taken = new(fresh.Count);
        foreach (int pair in fresh)
        {
            taken.Add((pair, all[pair].Fresh!));
            all[pair].Fresh = null;
        }

        fresh.Clear();
        return taken;
    }

    /// <summary>Makes the token <paramref name="union"/> of a pair in these words, from left to right.</summary>
    public void Merge(int pair, List<int> places, int union)
    {
        (int left, int right) = IdsOf(pair);
        foreach (int word in places)
        {
            Span<int> tokens = CollectionsMarshal.AsSpan(ids).Slice(starts[word], lengths[word]);
            lengths[word] = Merge(tokens, left, right, union, word);
        }
    }

    // What is merged moves to the front of the word; gives how many tokens are left.
    private int Merge(Span<int> tokens, int left, int right, int union, int word)
    {
        int end = 0, from = 0;
        for (int at; (at = Find(tokens, from, left, right)) >= 0; from = at + 2)
        {
            end = Move(tokens[from..at], tokens, end);
            if (end > 0)
            {
                Fall(tokens[end - 1], left, word);
                Rise(tokens[end - 1], union, word);
            }

            if (at + 2 < tokens.Length)
            {
                Fall(right, tokens[at + 2], word);
                Rise(union, tokens[at + 2], word);
            }

            tokens[end++] = union;
        }

        return Move(tokens[from..], tokens, end);
    }

    /// <summary>
    /// Where the pair is next, from a place on; -1: nowhere. Words may be as long as texts, so that whole vectors are searched.
    /// </summary>
    private static int Find(ReadOnlySpan<int> tokens, int from, int left, int right)
    {
        while (tokens.Length - from >= 2)
        {
            int found = tokens[from..^1].IndexOf(left);
            if (found < 0)
                return -1;
            if (tokens[from + found + 1] == right)
                return from + found;
            from += found + 1;
        }

        return -1;
    }

    private static int Move(ReadOnlySpan<int> some, Span<int> tokens, int end)
    {
        some.CopyTo(tokens[end..]);
        return end + some.Length;
    }

    private void Fall(int left, int right, int word) => Of(left, right).Count -= times[word];

    private void Rise(int left, int right, int word)
    {
        ref Pair pair = ref Of(left, right);
        pair.Count += times[word];
        if (pair.Fresh is null)
        {
            pair.Fresh = [];
            fresh.Add(numbers[pair.Key]);
        }

        if (pair.Fresh.Count == 0 || pair.Fresh[^1] != word)
            pair.Fresh.Add(word); // words come one by one, so that none comes twice
    }

    private ref Pair Of(int left, int right)
    {
        ulong key = ((ulong)left << 32) | (uint)right;
        ref int number = ref CollectionsMarshal.GetValueRefOrAddDefault(numbers, key, out bool known);
        if (!known)
        {
            number = pairs.Count;
            pairs.Add(new Pair { Key = key });
        }

        return ref CollectionsMarshal.AsSpan(pairs)[number];
    }

    private struct Pair
    {
        public ulong Key; // left id, right id
        public long Count;
        public List<int>? Fresh; // the words that it came up in since it was taken
    }
}
