using TinyMoE.Campaign;
using TinyMoE.Tests.Files;

namespace TinyMoE.Tests.Campaign;

/// <summary>A campaign that all tests of the class share: its server and its undisturbed runs take seconds.</summary>
public sealed class CampaignFixture : IDisposable
{
    private readonly Lazy<CampaignRun> campaign = new(() => new CampaignRun(new CampaignOptions { AtOnce = 1, Minutes = 1 }));

    internal CampaignRun Campaign => campaign.Value;

    public void Dispose()
    {
        if (campaign.IsValueCreated)
            campaign.Value.Dispose();
    }
}

/// <summary>A short campaign (tests/TinyMoE.Campaign): runs are killed, refused, beset by others, and nothing is lost.</summary>
public sealed class CampaignTests(CampaignFixture fixture) : IClassFixture<CampaignFixture>
{
    [Theory]
    [InlineData("kill", 12)]
    [InlineData("power", 8)]
    [InlineData("fail", 12)]
    [InlineData("writers", 4)]
    [InlineData("readers", 2)]
    public void Runs_Disturbed_LoseNothing(string kind, int trials)
    {
        Assert.SkipWhen(Shim.WhyNot is not null, $"the campaign cannot run: {Shim.WhyNot}");

        KindResult result = fixture.Campaign.Run(kind, trials);

        Assert.Equal(trials, result.Trials);
        Assert.Empty(result.Lost.Select(lost => $"{lost.Value.What}: {lost.Value.Lost}"));
    }

    [Fact]
    public void Command_KilledAtACall_DoesNoOther()
    {
        Assert.SkipWhen(Shim.WhyNot is not null, $"the campaign cannot run: {Shim.WhyNot}");
        using TemporaryFolder folder = new();
        using ProcessRunner runner = new(Shim.Build(folder.Root), ProgramFiles.Command);
        ShimOrder order = new(folder["run"]) { Log = folder["log"], At = 20, Act = Act.KillBefore };

        Outcome outcome = runner.Start(order, Scenario.ToWarmUp(folder.Root).Train(folder["run"])).Wait();

        Assert.Equal(Outcome.Killed, outcome.ExitCode);
        Assert.Equal(Enumerable.Range(1, 20), Call.ReadLog(folder["log"]).Select(call => call.Number));
    }

    [Fact]
    public void Command_RefusedACall_HearsWhy()
    {
        Assert.SkipWhen(Shim.WhyNot is not null, $"the campaign cannot run: {Shim.WhyNot}");
        using TemporaryFolder folder = new();
        using ProcessRunner runner = new(Shim.Build(folder.Root), ProgramFiles.Command);
        ShimOrder order = new(folder["run"]) { At = 1, Act = Act.Fail, Refusal = Refusal.ENOSPC, ToTheEnd = true };

        Outcome outcome = runner.Start(order, Scenario.ToWarmUp(folder.Root).Train(folder["run"])).Wait();

        Assert.Null(outcome.BadManners());
        Assert.Contains("the disk is full", outcome.Error);
    }

    [Fact]
    public void Runs_ThatDifferInAByteOrALine_AreDifferent()
    {
        using TemporaryFolder folder = new();
        folder.Write("a/last/model", "12");
        folder.Write("b/last/model", "13");
        folder.Write("a/metrics.jsonl", """{"kind":"train","step":1,"loss":2,"tokens_per_second":3}""" + "\n");
        folder.Write("b/metrics.jsonl", """{"kind":"train","step":1,"loss":2,"tokens_per_second":4}""" + "\n");
        (RunContents a, RunContents b) = (RunContents.Of(folder["a"]), RunContents.Of(folder["b"]));

        Assert.Equal("last/model has other bytes, from byte 1 of 2 (2)", a.DifferenceTo(b));

        folder.Write("b/last/model", "12");
        Assert.Null(a.DifferenceTo(RunContents.Of(folder["b"])));

        folder.Write("b/metrics.jsonl", """{"kind":"train","step":1,"loss":5,"tokens_per_second":3}""" + "\n");
        Assert.Contains("line 1", a.DifferenceTo(RunContents.Of(folder["b"])));
    }

    [Theory]
    [InlineData(1, "tinymoe: Cannot write a: the disk is full.\n", true)]
    [InlineData(1, "a note\ntinymoe: Cannot write a: the disk is full.\n", true)]
    [InlineData(1, "", false)]
    [InlineData(1, "tinymoe: NullReferenceException: a; this is a bug (TINYMOE_TRACE=1 shows where)\n", false)]
    [InlineData(1, "Unhandled exception.\n   at TinyMoE.A()\n", false)]
    [InlineData(134, "tinymoe: a.\n", false)]
    [InlineData(Outcome.TooLong, "", false)]
    public void Failure_ForPeople_IsTold(int exitCode, string error, bool isGood) =>
        Assert.Equal(isGood, new Outcome(exitCode, "", error).BadManners() is null);
}
