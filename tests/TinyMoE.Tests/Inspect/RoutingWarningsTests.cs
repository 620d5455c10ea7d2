using TinyMoE.Configuration;
using TinyMoE.Inspect;

namespace TinyMoE.Tests.Inspect;

public sealed class RoutingWarningsTests
{
    private static readonly MoeConfig TopTwoOfEight = new() { Experts = 8, Active = 2 };

    [Fact]
    public void Dead_OnceOnly_IsNoWarning()
    {
        float[] load = [0f, 1 / 7f, 1 / 7f, 1 / 7f, 1 / 7f, 1 / 7f, 1 / 7f, 1 / 7f];
        Assert.Empty(RoutingWarnings.Of(TopTwoOfEight, [Report(load)], RoutingSnapshot.None));
        Assert.Empty(RoutingWarnings.Of(TopTwoOfEight, [Report(load)], Seen(load.Reverse())));
    }

    [Fact]
    public void Dead_Twice_NamesLayerExpertsAndWhatToTry()
    {
        float[] load = [0f, 0.25f, 0.25f, 0f, 0.25f, 0.25f, 0f, 0f], before = [0f, 0.5f, 0f, 0f, 0.5f, 0f, 0f, 0f];
        WarningReport warning = Assert.Single(RoutingWarnings.Of(TopTwoOfEight, [Report(load)], Seen(before)));
        Assert.Equal((20, 3), (warning.Step, warning.Layer));
        Assert.Equal(
            "layer 3 is collapsing: no token chose experts 0, 3, 6, 7 in two evaluations in a row; set moe.balance_loss=0.01, "
            + "try moe.router=deepseek, or lower train.learning_rate",
            warning.Text);
    }

    [Fact]
    public void Dead_ManyExperts_AreNotAllNamed()
    {
        float[] load = [.. Enumerable.Range(0, 64).Select(e => e < 16 ? 1 / 16f : 0f)];
        WarningReport warning = Assert.Single(RoutingWarnings.Of(new MoeConfig { Experts = 64, Active = 8 }, [Report(load)], Seen(load)));
        Assert.Contains("experts 16, 17, 18, 19, 20, 21, 22, 23 and 40 more in two", warning.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.40f, false)]
    [InlineData(0.42f, true)]
    public void Violation_NearTheLargest_Warns(float most, bool warns)
    {
        // Top 2 of 8: an expert has at most half of the choices, 4 times its share; the line is at 3.25 times
        float[] load = [.. Enumerable.Repeat((1 - most) / 7, 7), most];
        MoeConfig balanced = TopTwoOfEight with { BalanceLoss = 0.001f };
        WarningReport[] warnings = [.. RoutingWarnings.Of(balanced, [Report(load)], RoutingSnapshot.None)];
        Assert.Equal(warns, warnings.Length == 1);
        const string Text = "expert 7 has 42 % of the choices, 3.36 times its share; raise moe.balance_loss=0.001";
        Assert.All(warnings, warning => Assert.Contains(Text, warning.Text, StringComparison.Ordinal));
    }

    [Fact]
    public void Entropy_NearZero_WarnsIfLoadsAreUneven()
    {
        float[] uneven = [.. Enumerable.Repeat(0.7f / 7, 7), 0.3f], even = [.. Enumerable.Repeat(1 / 8f, 8)];
        RoutingReport[] decided = [Report(uneven) with { Entropy = 0.01f }];
        RoutingReport[] fine = [Report(uneven) with { Entropy = 0.5f }, Report(even) with { Entropy = 0.01f }];
        WarningReport warning = Assert.Single(RoutingWarnings.Of(TopTwoOfEight, decided, RoutingSnapshot.None));
        Assert.Contains("the entropy is 0.01", warning.Text, StringComparison.Ordinal);
        Assert.Empty(RoutingWarnings.Of(TopTwoOfEight, fine, RoutingSnapshot.None));
    }

    [Fact]
    public void LogSumExp_Large_NamesTheZLoss()
    {
        RoutingReport report = Report([.. Enumerable.Repeat(1 / 8f, 8)]) with { LogSumExp = 61.5f };
        WarningReport warning = Assert.Single(RoutingWarnings.Of(TopTwoOfEight, [report], RoutingSnapshot.None));
        Assert.Equal(
            "layer 3: the router's logits explode, their log Σ exp is 61.5; set moe.z_loss=0.001, or lower train.learning_rate",
            warning.Text);
    }

    [Theory]
    [InlineData(RouterKind.NoisyTopK, "set moe.importance_loss=0.01 and set moe.load_loss=0.01")]
    [InlineData(RouterKind.DeepSeek, "raise moe.bias_rate=0.001 or set moe.sequence_loss=0.0001")]
    [InlineData(RouterKind.Hash, null)]
    [InlineData(RouterKind.Task, null)]
    [InlineData(RouterKind.Uniform, null)]
    public void Advice_FitsTheRouter(RouterKind router, string? advice)
    {
        float[] load = [0.5f, 0.5f, 0f, 0f, 0f, 0f, 0f, 0f];
        WarningReport[] warnings = [.. RoutingWarnings.Of(TopTwoOfEight with { Router = router }, [Report(load)], Seen(load))];
        Assert.Equal(advice is null ? 0 : 1, warnings.Length);
        Assert.All(warnings, warning => Assert.Contains(advice!, warning.Text, StringComparison.Ordinal));
    }

    private static RoutingSnapshot Seen(IEnumerable<float> load)
    {
        RoutingSnapshot snapshot = new();
        snapshot.Set(3, [], [.. load]);
        return snapshot;
    }

    private static RoutingReport Report(float[] load) => new(
        20, 3, load, load, Entropy: 1f, MaxViolation: load.Max() * load.Length - 1f, Dead: load.Count(share => share == 0f));
}
