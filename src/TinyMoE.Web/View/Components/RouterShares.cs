namespace TinyMoE.Web.View.Components;

/// <summary>An expert and the probability that the router gave it.</summary>
/// <param name="Expert">The expert.</param>
/// <param name="Probability">From 0 to 1.</param>
/// <param name="IsChosen">Whether the token went to it, or wanted to.</param>
internal readonly record struct RouterShare(int Expert, float Probability, bool IsChosen);

/// <summary>
/// What of a router's probabilities a page says: all of them of few experts; of many the chosen ones, the likeliest of those that were not,
/// and the sum of the rest. By probability, the largest first, and by number among equals.
/// </summary>
/// <param name="Shown">The experts that are named.</param>
/// <param name="Others">How many are not.</param>
/// <param name="OthersSum">The sum of their probabilities.</param>
internal sealed record RouterShares(IReadOnlyList<RouterShare> Shown, int Others, double OthersSum)
{
    /// <summary>Experts that are all named.</summary>
    public const int Few = 8;

    /// <summary>Of more, those named that were not chosen.</summary>
    public const int Next = 4;

    /// <summary>The shares of one token in one mixture.</summary>
    /// <param name="probabilities">(E), none for a router that has no probabilities.</param>
    /// <param name="chosen">The experts that it went to, or wanted to.</param>
    public static RouterShares Of(ReadOnlySpan<float> probabilities, IReadOnlyCollection<int> chosen)
    {
        RouterShare[] all = new RouterShare[probabilities.Length];
        for (int e = 0; e < all.Length; e++)
            all[e] = new RouterShare(e, probabilities[e], chosen.Contains(e));
        RouterShare[] sorted = [.. all.OrderByDescending(each => each.Probability).ThenBy(each => each.Expert)];
        if (sorted.Length <= Few)
            return new RouterShares(sorted, 0, 0);
        HashSet<int> next = [.. sorted.Where(each => !each.IsChosen).Take(Next).Select(each => each.Expert)];
        ILookup<bool, RouterShare> named = sorted.ToLookup(each => each.IsChosen || next.Contains(each.Expert));
        return new RouterShares([.. named[true]], named[false].Count(), named[false].Sum(each => (double)each.Probability));
    }
}
