using TinyMoE.Web.View.Runs;

namespace TinyMoE.Tests.Web.View;

/// <summary>A long curve in few points.</summary>
public sealed class BucketsTests
{
    [Fact]
    public void FewPoints_StayAsTheyAre()
    {
        CurvePoint[] thin = Buckets.Thin([1, 2, 3], [5, double.NaN, 7], 4);
        Assert.Equal([new(1, 5), new(3, 7)], thin);
    }

    [Theory]
    [InlineData(101)]
    [InlineData(1_000)]
    [InlineData(99_991)]
    public void ManyPoints_KeepTheirExtremes_FirstAndLast_InOrder(int count)
    {
        Random random = new(1);
        double[] xs = [.. Enumerable.Range(1, count).Select(i => (double)i)], ys = [.. xs.Select(_ => random.NextDouble())];
        ys[count / 3] = 50;
        ys[(2 * count / 3) - 1] = -50;
        CurvePoint[] thin = Buckets.Thin(xs, ys, 100);
        Assert.InRange(thin.Length, 50, 100);
        Assert.Equal(new CurvePoint(xs[0], ys[0]), thin[0]);
        Assert.Equal(new CurvePoint(xs[^1], ys[^1]), thin[^1]);
        Assert.Contains(new CurvePoint(xs[count / 3], 50), thin);
        Assert.Contains(thin, point => point.Y == -50);
        Assert.True(thin.Zip(thin.Skip(1)).All(pair => pair.First.X < pair.Second.X));
        Assert.All(thin, point => Assert.Equal(ys[(int)point.X - 1], point.Y));
    }

    [Fact]
    public void EveryBucket_KeepsItsOwnExtremes()
    {
        double[] xs = [.. Enumerable.Range(0, 1002).Select(i => (double)i)];
        double[] ys = [.. xs.Select(x => Math.Sin(x * 12.9898) * 43758.5453 % 1)];
        CurvePoint[] thin = Buckets.Thin(xs, ys, 22); // 10 buckets of 100 between the first and the last
        for (int bucket = 0; bucket < 10; bucket++)
        {
            double[] part = ys[(1 + (100 * bucket))..(1 + (100 * (bucket + 1)))];
            IEnumerable<double> kept = thin.Where(p => p.X >= 1 + (100 * bucket) && p.X < 1 + (100 * (bucket + 1))).Select(p => p.Y);
            Assert.Equal([part.Min(), part.Max()], kept.Order());
        }
    }

    [Fact]
    public void WhatIsNoNumber_IsLeftOut()
    {
        double[] xs = [.. Enumerable.Range(0, 500).Select(i => (double)i)];
        double[] ys = [.. xs.Select(x => x < 250 ? double.NaN : x % 7 == 0 ? double.PositiveInfinity : 1)];
        Assert.All(Buckets.Thin(xs, ys, 50), point => Assert.Equal(1, point.Y));
        Assert.Empty(Buckets.Thin(xs, [.. xs.Select(_ => double.NaN)], 50));
    }
}
