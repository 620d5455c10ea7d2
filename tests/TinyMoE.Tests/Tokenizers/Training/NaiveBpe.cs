namespace TinyMoE.Tests.Tokenizers.Training;

/// <summary>
/// Byte-pair encoding as it is told: all pairs are counted anew before every merge, overlapping ones too; the commonest is merged, of two
/// that are equally common the one with the smaller ids.
/// </summary>
internal sealed class NaiveBpe
{
    private readonly List<string> tokens;
    private readonly List<(int Left, int Right)> merges = [];

    private NaiveBpe(IReadOnlyDictionary<string, long> counts, int vocabulary)
    {
        tokens = [.. counts.Keys.SelectMany(word => word.EnumerateRunes()).Distinct().Order().Select(letter => letter.ToString())];
        List<(List<int> Ids, long Times)> words = [.. counts.Select(word => (IdsOf(word.Key), word.Value))];
        while (tokens.Count < vocabulary && Commonest(words) is { } pair)
        {
            string union = tokens[pair.Left] + tokens[pair.Right];
            if (!tokens.Contains(union))
                tokens.Add(union);
            merges.Add(pair);
            foreach ((List<int> ids, _) in words)
                Merge(ids, pair, tokens.IndexOf(union));
        }
    }

    /// <summary>The tokens by id.</summary>
    public IReadOnlyList<string> Tokens => tokens;

    /// <summary>The merges in order.</summary>
    public IReadOnlyList<(int Left, int Right)> Merges => merges;

    public static NaiveBpe Train(IReadOnlyDictionary<string, long> counts, int vocabulary) => new(counts, vocabulary);

    private static (int Left, int Right)? Commonest(List<(List<int> Ids, long Times)> words)
    {
        Dictionary<(int Left, int Right), long> counts = [];
        foreach ((List<int> ids, long times) in words)
        {
            for (int i = 1; i < ids.Count; i++)
                counts[(ids[i - 1], ids[i])] = counts.GetValueOrDefault((ids[i - 1], ids[i])) + times;
        }

        return counts.Count == 0 ? null : counts.OrderByDescending(pair => pair.Value).ThenBy(pair => pair.Key).First().Key;
    }

    private static void Merge(List<int> ids, (int Left, int Right) pair, int union)
    {
        for (int i = 0; i + 1 < ids.Count; i++)
        {
            if ((ids[i], ids[i + 1]) != pair)
                continue;
            ids[i] = union;
            ids.RemoveAt(i + 1);
        }
    }

    private List<int> IdsOf(string word) => [.. word.EnumerateRunes().Select(letter => tokens.IndexOf(letter.ToString()))];
}
