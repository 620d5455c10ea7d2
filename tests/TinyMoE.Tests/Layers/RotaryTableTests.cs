using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Tests.Attention;

namespace TinyMoE.Tests.Layers;

public sealed class RotaryTableTests
{
    private static readonly AttentionConfig Plain = new();

    private static readonly AttentionConfig Yarn = Plain with
    {
        RopeScaling = RopeScaling.Yarn,
        RopeFactor = 4,
        RopeOriginalContext = 512,
    };

    private static readonly Dictionary<string, (AttentionConfig Attention, int Size, int Context)> Cases = new()
    {
        ["none"] = (Plain, 16, 40),
        ["linear"] = (Plain with { RopeScaling = RopeScaling.Linear, RopeFactor = 2.5f }, 10, 128),
        ["dynamic beyond"] = (
            Plain with { RopeScaling = RopeScaling.Dynamic, RopeFactor = 2, RopeOriginalContext = 100 }, 8, 200),
        ["dynamic within"] = (Plain with { RopeScaling = RopeScaling.Dynamic, RopeFactor = 2 }, 8, 200),
        ["llama3"] = (
            Plain with { RopeScaling = RopeScaling.Llama3, RopeTheta = 500, RopeFactor = 8, RopeOriginalContext = 64 }, 16, 512),
        ["yarn"] = (Yarn, 16, 2048),
        ["yarn, both mscales"] = (Yarn with { RopeMscale = 1, RopeMscaleAllDim = 0.6f }, 16, 64),
        ["yarn, one mscale"] = (Yarn with { RopeMscale = 0.7f }, 16, 64),
        ["yarn, a factor"] = (Yarn with { RopeAttentionFactor = 1.5f, RopeMscale = 1, RopeMscaleAllDim = 1 }, 16, 64),
        ["yarn, not truncated"] = (Yarn with { RopeTruncate = false, RopeBetaFast = 20, RopeBetaSlow = 2 }, 32, 64),
        ["yarn, a short context"] = (Yarn with { RopeOriginalContext = 4 }, 16, 64),
        ["yarn, equal ends"] = (Yarn with { RopeBetaFast = 4, RopeBetaSlow = 4, RopeTruncate = false }, 16, 64),
    };

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void Table_HasCosinesAndSinesOfTheFormulas(string name)
    {
        (AttentionConfig attention, int size, int context) = Cases[name];
        (double[] frequencies, double factor) = RopeReference.Of(attention, size, context);
        (float[] cos, float[] sin) = TableOf(attention, size, context);
        Assert.Equal(context * size / 2, cos.Length);
        for (int i = 0; i < cos.Length; i++)
        {
            double angle = i / (size / 2) * frequencies[i % (size / 2)];
            Assert.Equal(factor * Math.Cos(angle), cos[i], 2e-7);
            Assert.Equal(factor * Math.Sin(angle), sin[i], 2e-7);
        }
    }

    // Computed apart, by the formulas in another language.
    [Theory]
    [InlineData("linear", new[] { 0.4, 0.06339572769844454, 0.010047545726038318, 0.0015924286822139894, 0.00025238293779207717 })]
    [InlineData("dynamic beyond", new[] { 1.0, 0.06933612743506347, 0.004807498567691361, 0.0003333333333333334 })]
    [InlineData("dynamic within", new[] { 1.0, 0.1, 0.01, 0.001 })]
    [InlineData("llama3", new[]
    {
        1.0, 0.45986329782677027, 0.09761663265652092, 0.012156155905825913, 0.005590169943749474, 0.002570713985744724,
        0.0011821770112539697, 0.0005436398190102454,
    })]
    [InlineData("yarn", new[]
    {
        1.0, 0.2569350598886808, 0.0625, 0.01383496476323666, 0.0025, 0.0007905694150420947, 0.00025, 7.905694150420948e-05,
    })]
    public void Frequencies_OfKnownConfigurations_AreThoseComputedApart(string name, double[] expected)
    {
        (AttentionConfig attention, int size, int context) = Cases[name];
        double[] frequencies = RotaryFrequencies.Of(new ModelConfig { Context = context }, attention, size);
        Assert.Equal(expected.Length, frequencies.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(1, frequencies[i] / expected[i], 1e-14);
    }

    // GPT-OSS: first, the two ends of the ramp, last.
    [Fact]
    public void Frequencies_OfYarnWithoutTruncation_HaveARampBetweenPairs()
    {
        AttentionConfig attention = new()
        {
            RopeScaling = RopeScaling.Yarn,
            RopeTheta = 150000,
            RopeFactor = 32,
            RopeOriginalContext = 4096,
            RopeTruncate = false,
        };
        double[] frequencies = RotaryFrequencies.Of(new ModelConfig { Context = 131072 }, attention, 64);
        Assert.Equal(0.050813274815461475, frequencies[8], 1e-15);
        Assert.Equal(0.03170569618466377, frequencies[9], 1e-15);
        Assert.Equal(0.00012931870124506317, frequencies[17], 1e-16);
        Assert.Equal(3.0235114281192144e-07, frequencies[31], 1e-20);
        Assert.Equal(1.3465735902799727, RotaryFrequencies.AttentionFactor(attention), 1e-15);
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(0.5, 1, 1)]
    [InlineData(4, 0, 1)]
    [InlineData(4, 1, 1.138629436111989)]
    [InlineData(40, 0.707, 1.260804)]
    public void Magnitude_GrowsWithTheLogarithmOfTheFactor(double s, double k, double expected) =>
        Assert.Equal(expected, RotaryFrequencies.Magnitude(s, k), 1e-6);

    private static (float[] Cos, float[] Sin) TableOf(AttentionConfig attention, int size, int context)
    {
        using CpuBackend backend = new(threads: 1);
        using RotaryTable table = new(new ModelConfig { Context = context }, attention, size);
        table.Allocate(backend);
        return (backend.Read(table.Cos), backend.Read(table.Sin));
    }
}
