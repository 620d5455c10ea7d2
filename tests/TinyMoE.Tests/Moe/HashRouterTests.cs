using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Moe.Routers;

namespace TinyMoE.Tests.Moe;

public sealed class HashRouterTests
{
    [Theory]
    [InlineData(8, 1)]
    [InlineData(8, 3)]
    [InlineData(5, 5)]
    public void RandomTable_HasDifferentExperts_SpreadEvenly_AnotherInEveryLayer(int E, int K)
    {
        const int Symbols = 4001;
        float[] table = HashRouter.RandomTable(seed: 7, layer: 0, Symbols, E, K);
        Assert.All(table.Chunk(K), experts => Assert.Equal(K, experts.Distinct().Count()));
        Assert.All(table.GroupBy(e => e), expert => Assert.InRange(expert.Count(), 0.85 * Symbols * K / E, 1.15 * Symbols * K / E));
        Assert.Equal(E, table.Distinct().Count());
        Assert.Equal(table, HashRouter.RandomTable(seed: 7, layer: 0, Symbols, E, K));
        Assert.NotEqual(table, HashRouter.RandomTable(seed: 7, layer: 1, Symbols, E, K));
        Assert.NotEqual(table, HashRouter.RandomTable(seed: 8, layer: 0, Symbols, E, K));
    }

    [Theory]
    [InlineData(4, 1)]
    [InlineData(4, 2)]
    [InlineData(7, 3)]
    public void BalancedTable_GivesExpertsTheSameAmountOfText(int E, int K)
    {
        // a few frequent ids, many rare ones, some that never occur
        int[] frequencies = [.. Enumerable.Range(0, 300).Select(i => i % 11 == 0 ? 0 : 3000 / (1 + i * 7 % 300 / 20))];
        float[] table = HashRouter.BalancedTable(frequencies, E, K);
        Assert.All(table.Chunk(K), experts => Assert.Equal(K, experts.Distinct().Count()));
        long[] loads = new long[E];
        for (int i = 0; i < table.Length; i++)
            loads[(int)table[i]] += frequencies[i / K];
        Assert.InRange(loads.Max() - loads.Min(), 0, 0.02 * loads.Average());
    }

    [Fact]
    public void Route_FollowsTheTable_WithGatesOfOneOverK()
    {
        using RouterHarness router = new(new MoeConfig { Router = RouterKind.Hash, Experts = 5, Active = 2 }, 3);
        RouterRun run = router.Run(new float[4 * 3], Pass.Inference, new RouterTokens(1, new int[4]));
        float[] table = router.State("router.table");
        for (int t = 0; t < 4; t++)
        {
            int id = t * 7 % 29;                                 // the harness gives these ids
            Assert.Equal(table[(id * 2)..(id * 2 + 2)].Select(e => (int)e), run.Choices[(t * 2)..(t * 2 + 2)]);
            Assert.Equal([0.5f, 0.5f], run.Gates[(t * 5)..(t * 5 + 5)].Where(g => g != 0));
        }
    }
}
