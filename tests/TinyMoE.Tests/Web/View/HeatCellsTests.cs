using TinyMoE.Web.View.Components;

namespace TinyMoE.Tests.Web.View;

/// <summary>Tables of shares as few shapes.</summary>
public sealed class HeatCellsTests
{
    [Fact]
    public void Paths_JoinCellsOfOneLevel_AndCoverAll()
    {
        string[] paths = HeatCells.Paths([[0.5f, 0.5f], [0.5f, 0.5f], [1f, 0f]]);
        Assert.Equal("M0 0h2v1h-2zM0 1h2v1h-2z", paths[HeatCells.LevelOf(0.5, 2)]);
        Assert.Equal("M2 1h1v1h-1z", paths[0]);
        Assert.Equal(3, paths.Count(path => path.Length > 0));
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(0.125, 6)]
    [InlineData(1, 15)]
    [InlineData(double.NaN, 0)]
    public void Level_IsByTheEvenShare(double share, int level) => Assert.Equal(level, HeatCells.LevelOf(share, 8));

    [Fact]
    public void Thin_KeepsACollapseBetweenTwoColumns()
    {
        float[][] load = [.. Enumerable.Range(0, 100).Select(i => i == 41 ? new[] { 1f, 0f } : [0.5f, 0.5f])];
        (double[] steps, float[][] thin) = HeatCells.Thin([.. Enumerable.Range(1, 100).Select(i => (double)i)], load, 10);
        Assert.Equal(100, steps[^1]);
        Assert.Equal([1f, 0f], thin[4]);
        Assert.Equal([0.5f, 0.5f], thin[5]);
    }
}
