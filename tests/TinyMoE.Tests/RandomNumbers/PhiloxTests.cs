using TinyMoE.RandomNumbers;

namespace TinyMoE.Tests.RandomNumbers;

public sealed class PhiloxTests
{
    /// <summary>The known answers of Random123 for philox4x32-10.</summary>
    [Theory]
    [InlineData(0u, 0u, 0u, 0u, 0u, 0u, 0x6627e8d5u, 0xe169c58du, 0xbc57ac4cu, 0x9b00dbd8u)]
    [InlineData(~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276du, 0x41c83b0eu, 0xa20bc7c6u, 0x6d5451fdu)]
    [InlineData(
        0x243f6a88u, 0x85a308d3u, 0x13198a2eu, 0x03707344u, 0xa4093822u, 0x299f31d0u,
        0xd16cfe09u, 0x94fdccebu, 0x5001e420u, 0x24126ea1u)]
    public void Rounds_KnownAnswers_Match(uint c0, uint c1, uint c2, uint c3, uint k0, uint k1, uint a, uint b, uint c, uint d) =>
        Assert.Equal((a, b, c, d), Philox.Rounds(c0, c1, c2, c3, k0, k1));

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(6)]
    [InlineData(4L * uint.MaxValue - 9)] // the low half of the block number runs over
    public void Words_AnyStartAndLength_AreTheScalarWords(long index)
    {
        Philox random = new(new RandomKey(0xFEDCBA9876543210, RandomPurpose.Other, Step: -5, Layer: 40_000));
        foreach (int length in new[] { 0, 1, 3, 5, 15, 16, 19, 20, 67, 200 })
        {
            uint[] words = new uint[length];
            random.Words(index, words);
            Assert.Equal(Enumerable.Range(0, length).Select(i => random.Word(index + i)), words);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(6)]
    [InlineData(4L * uint.MaxValue - 9)]
    public void Normals_AnyStartAndLength_AreTheNumbersOneByOne(long index)
    {
        Philox random = new(new RandomKey(0xFEDCBA9876543210, RandomPurpose.Other, Step: -5, Layer: 40_000));
        foreach (int length in new[] { 0, 1, 2, 3, 1023, 1024, 1025, 2500 })
        {
            float[] numbers = new float[length];
            random.Normals(index, numbers);
            Assert.Equal(Enumerable.Range(0, length).Select(i => random.Normal(index + i)), numbers);
        }
    }

    [Fact]
    public void Uniform_ManyNumbers_HasMomentsAndRange()
    {
        Philox random = new(Key);
        double sum = 0, squares = 0;
        const int Count = 100_000;
        for (int i = 0; i < Count; i++)
        {
            double u = random.Uniform(i);
            Assert.InRange(u, 0, 1 - 1.0 / (1 << 24));
            sum += u;
            squares += u * u;
        }

        Assert.Equal(0.5, sum / Count, 0.005);
        Assert.Equal(1 / 3.0, squares / Count, 0.005);
    }

    [Fact]
    public void Normal_ManyNumbers_HasMoments()
    {
        Philox random = new(Key);
        double[] moments = new double[5];
        const int Count = 200_000;
        for (int i = 0; i < Count; i++)
        {
            for (int power = 1; power <= 4; power++)
                moments[power] += Math.Pow(random.Normal(i), power) / Count;
        }

        Assert.Equal(0, moments[1], 0.01);
        Assert.Equal(1, moments[2], 0.015);
        Assert.Equal(0, moments[3], 0.04);
        Assert.Equal(3, moments[4], 0.12);
    }

    [Fact]
    public void Normal_Neighbours_AreUncorrelated()
    {
        Philox random = new(Key);
        const int Count = 100_000;
        for (int distance = 1; distance <= 4; distance++)
            Assert.Equal(0, Enumerable.Range(0, Count).Sum(i => (double)random.Normal(i) * random.Normal(i + distance)) / Count, 0.015);
    }

    [Fact]
    public void Keys_AnyPartDiffers_DifferentStreams()
    {
        RandomKey[] keys =
        [
            Key, Key with { Seed = 8 }, Key with { Seed = Key.Seed | 1UL << 40 }, Key with { Purpose = RandomPurpose.Batch },
            Key with { Step = 4 }, Key with { Layer = 1 },
        ];
        (uint, uint, uint, uint)[] blocks = [.. keys.Select(key => new Philox(key).Block(0))];
        Assert.Equal(keys.Length, blocks.Distinct().Count());
    }

    [Fact]
    public void Below_ManyDraws_CoversTheRangeEvenly()
    {
        Philox random = new(Key);
        int[] counts = new int[7];
        for (int i = 0; i < 70_000; i++)
            counts[random.Below(7, i)]++;
        Assert.All(counts, count => Assert.InRange(count, 9_600, 10_400));
    }

    private static RandomKey Key => new(7, RandomPurpose.Other, Step: 3);
}
