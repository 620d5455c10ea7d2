using TinyMoE.Configuration;
using TinyMoE.Tests.Moe;
using TinyMoE.Train;

namespace TinyMoE.Tests.Train;

public sealed class FirstStepTests
{
    public static TheoryData<string> Names => [.. Presets.All.Select(preset => preset.Name)];

    public static TheoryData<string> Routers => [.. RouterModels.All];

    [Theory]
    [MemberData(nameof(Names))]
    public void Small_OfEveryPreset_IsValid(string preset) => FirstStep.Small(Presets.Get(preset)).Validate();

    [Theory]
    [MemberData(nameof(Routers))]
    public void Small_OfEveryRouter_IsValid(string router) => FirstStep.Small(RouterModels.Of(router)).Validate();

    [Fact]
    public async Task Prepare_SmallModel_DoesAStep_LargeModel_DoesNone()
    {
        RunConfig small = Presets.Get("mixtral-tiny");
        await FirstStep.Prepare(small)!;
        Assert.Null(FirstStep.Prepare(small with { Model = small.Model with { Width = 2048 } }));
    }
}
