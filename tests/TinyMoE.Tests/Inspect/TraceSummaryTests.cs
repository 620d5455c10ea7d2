using TinyMoE.Inspect;
using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.Inspect;

/// <summary>Small traces whose summaries can be counted by hand.</summary>
public sealed class TraceSummaryTests
{
    private static readonly ByteTokenizer Bytes = new();

    [Fact]
    public void Summary_CountsByHand()
    {
        // aaab aaab: expert 0 has every a, expert 1 every b; expert 2 is the second choice of each first token of a window.
        TraceSummariser summariser = new(Bytes, ["prose", "poems"]);
        summariser.Add(Batch("aaabaaab", T: 4, n => n % 4 == 3 ? [1] : n % 4 == 0 ? [0, 2] : [0], n => n < 4 ? 0 : 1));

        TraceSummary summary = summariser.Summarise();

        Assert.Equal(8, summary.Tokens);
        LayerSummary layer = Assert.Single(summary.Layers);
        Assert.Equal([6, 2, 2], layer.Experts.Select(expert => expert.Tokens));
        Assert.Equal([0.75f, 0.25f, 0.25f], layer.Experts.Select(expert => expert.Share));
        Assert.Equal(1f, layer.VocabularySpecialisation);
        Assert.Equal([1f, 0f, 2 / 6f], layer.CoActivation![0]);
        Assert.Equal([1f, 0f, 1f], layer.CoActivation[2]);
        Assert.Equal(2 * Math.Log(2) / 8, layer.GateEntropy, 1e-6); // two tokens have two equal gates
        Assert.Equal([0.75f, 0.75f], layer.Experts[0].ByDomain);
        Assert.Equal(0.75f, layer.Experts[0].ByKind[(int)TokenKind.Lower]);
        Assert.Equal([0f, 0f, 0f, 0f, 0f, 0f, 1f, 0f], layer.Experts[1].ByPosition); // positions 0 to 3 are eighths 0, 2, 4 and 6
        TokenShare a = Assert.Single(layer.Experts[0].LivesOn);
        Assert.Equal(("a", 6L, 6L), (a.Token, a.Count, a.Of));
        Assert.Equal(1 / 0.75, a.Lift, 1e-9);
        Assert.Empty(layer.Experts[1].LivesOn);                  // two tokens are too few to say
        TokenContext context = layer.Experts[1].Contexts[0];
        Assert.Equal((0, 3, "aaa", "b", ""), (context.Window, context.Position, context.Before, context.Token, context.After));
        Assert.Equal([0, 0, 0, 1, 1], layer.Experts[0].Contexts.OrderBy(c => c.Window).Select(c => c.Window));
    }

    [Fact]
    public void VocabularySpecialisation_IsTheLargestShareOfAnId()
    {
        // Of four a, three choose expert 0 and one expert 1; c comes once and says nothing.
        TraceSummariser summariser = new(Bytes, []);
        summariser.Add(Batch("aaaac", T: 5, n => n == 3 ? [1] : [0], _ => 0));
        Assert.Equal(0.75f, summariser.Summarise().Layers[0].VocabularySpecialisation);
    }

    [Fact]
    public void Summary_OfNothing_IsEmpty() => Assert.Empty(new TraceSummariser(Bytes, []).Summarise().Layers);

    [Fact]
    public void Saturation_CountsWhatWasChosenAlready()
    {
        RouterSaturation saturation = new();
        saturation.Add(
            Batch("aaaa", T: 4, n => n < 2 ? [0, 1] : [2, 1], _ => 0), Batch("aaaa", T: 4, n => n < 3 ? [0, 1] : [1, 0], _ => 0));
        LayerSaturation layer = Assert.Single(saturation.Layers);
        Assert.Equal(0.5f, layer.First);                         // the first two tokens
        Assert.Equal((2 + 2 + 1 + 1) / 8f, layer.All);
        Assert.Throws<ArgumentException>(() => saturation.Add(Batch("ab", 2, _ => [0], _ => 0), Batch("aa", 2, _ => [0], _ => 0)));
    }

    [Theory]
    [InlineData("the", TokenKind.Lower)]
    [InlineData(" the", TokenKind.Lower)]
    [InlineData(" The", TokenKind.Upper)]
    [InlineData("x1", TokenKind.Lower)]
    [InlineData("12", TokenKind.Digits)]
    [InlineData("1.", TokenKind.Digits)]
    [InlineData(" ", TokenKind.Space)]
    [InlineData("\n\n", TokenKind.Space)]
    [InlineData("({", TokenKind.Brackets)]
    [InlineData("();", TokenKind.Punctuation)]
    [InlineData("—", TokenKind.Punctuation)]
    [InlineData("é", TokenKind.Lower)]
    [InlineData("мир", TokenKind.OtherScripts)]
    [InlineData("漢", TokenKind.OtherScripts)]
    [InlineData("\uFFFD", TokenKind.OtherScripts)]
    [InlineData("", TokenKind.Special)]
    public void TokenKind_IsThatOfItsCharacters(string text, TokenKind expected) => Assert.Equal(expected, TokenKinds.Of(text));

    /// <summary>Windows of T tokens of a text with these choices, equal gates and outputs of norm 1.</summary>
    private static TraceBatch Batch(string text, int T, Func<int, int[]> choices, Func<int, int> label)
    {
        int N = text.Length;
        int[][] chosen = [.. Enumerable.Range(0, N).Select(choices)];
        int[] offsets = [0, .. Enumerable.Range(1, N).Select(n => chosen.Take(n).Sum(own => own.Length))];
        int count = offsets[^1];
        TraceLayer layer = new(0, Experts: 3, offsets)
        {
            Expert = [.. chosen.SelectMany(own => own)],
            Gate = [.. chosen.SelectMany(own => own.Select(_ => 1f / own.Length))],
            Served = [.. Enumerable.Repeat(true, count)],
            OutputNorm = [.. Enumerable.Repeat(1f, count)],
        };
        return new TraceBatch(0, T, [.. text.Select(c => (int)c)])
        {
            Traced = [.. Enumerable.Repeat(true, N)],
            Labels = [.. Enumerable.Range(0, N).Select(label)],
            Losses = new float[N],
            Ranks = new int[N],
            NextIds = new int[N],
            NextLosses = new float[N],
            Layers = [layer],
            Heads = [],
        };
    }
}
