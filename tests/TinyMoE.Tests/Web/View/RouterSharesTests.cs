using TinyMoE.Web.View.Components;

namespace TinyMoE.Tests.Web.View;

/// <summary>Which of a router's probabilities the panel of a token says.</summary>
public sealed class RouterSharesTests
{
    [Fact]
    public void OfFewExperts_AllAreSaid_TheLikeliestFirst()
    {
        RouterShares shares = RouterShares.Of([0.1f, 0.4f, 0.1f, 0.4f], [3]);
        Assert.Equal([(1, 0.4f, false), (3, 0.4f, true), (0, 0.1f, false), (2, 0.1f, false)], Said(shares));
        Assert.Equal((0, 0.0), (shares.Others, shares.OthersSum));
    }

    [Fact]
    public void OfMany_TheChosenAndTheNextAreSaid_AndTheSumOfTheRest()
    {
        float[] probabilities = new float[64];
        for (int e = 0; e < probabilities.Length; e++)
            probabilities[e] = (e + 1) / 2080f;
        RouterShares shares = RouterShares.Of(probabilities, [62, 3]); // one by the router's bias, far down
        Assert.Equal([63, 62, 61, 60, 59, 3], shares.Shown.Select(each => each.Expert));
        Assert.Equal([62, 3], shares.Shown.Where(each => each.IsChosen).Select(each => each.Expert));
        Assert.Equal(58, shares.Others);
        Assert.Equal(1, shares.OthersSum + shares.Shown.Sum(each => (double)each.Probability), 1e-6);
    }

    [Fact]
    public void OfARouterWithoutProbabilities_NothingIsSaid() => Assert.Empty(RouterShares.Of([], [1]).Shown);

    private static IEnumerable<(int, float, bool)> Said(RouterShares shares) =>
        shares.Shown.Select(each => (each.Expert, each.Probability, each.IsChosen));
}
