using TinyMoE.Tokenizers;

namespace TinyMoE.Tests.Tokenizers;

public sealed class TokenIdsTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(256)]
    [InlineData(257)]
    [InlineData(65_536)]
    [InlineData(65_537)]
    [InlineData(0x110000)]
    public void Of_IdsOfAnyVocabulary_GivesThemBack(int vocabulary)
    {
        int[] ids = [0, vocabulary - 1, vocabulary / 2, .. TestModels.Ids(100, vocabulary)];

        TokenIds packed = TokenIds.Of(ids, vocabulary);

        Assert.Equal(ids, packed.ToArray());
        Assert.Equal((ids.Length, ids[2], ids[^1]), (packed.Length, packed[2], packed[^1]));
        Assert.Equal(ids[3..10], packed[2..][1..8].ToArray());
        Assert.Throws<ArgumentOutOfRangeException>(() => packed[..5].CopyTo(3, new int[3]));
    }

    [Fact]
    public void Of_AnIdBeyondTheVocabulary_IsNotCutShort() => Assert.Throws<OverflowException>(() => TokenIds.Of([256], 256));
}
