using TinyMoE.Configuration;

namespace TinyMoE.Tests.Configuration;

public sealed class PresetTests
{
    [Fact]
    public void All_Presets_AreValidAndDescribedInOneLine()
    {
        Assert.Equal(Presets.Default, Presets.All[0].Name);
        foreach (Preset preset in Presets.All)
        {
            preset.Config.Validate();
            Assert.InRange(preset.Summary.Length, 20, 120);
            Assert.Same(preset.Config, Presets.Get(preset.Name));
        }
    }

    private const string Known =
        "known: mixtral-tiny, makemoe, nano, shazeer-tiny, switch-tiny, deepseek-tiny, switch-head-tiny, " +
        "bench, bench-64-experts, bench-narrow";

    [Theory]
    [InlineData("mixtral-tinny", $"unknown preset 'mixtral-tinny'; did you mean 'mixtral-tiny'? ({Known})")]
    [InlineData("mixtral", $"unknown preset 'mixtral'; did you mean 'mixtral-tiny'? ({Known})")]
    [InlineData("gpt-5", $"unknown preset 'gpt-5' ({Known})")]
    public void Get_UnknownName_ListsTheKnownAndTheNearest(string name, string expected) =>
        Assert.Equal(expected, Assert.Throws<TinyMoEException>(() => Presets.Get(name)).Message);

    [Fact]
    public void Get_Nano_IsDense() => Assert.False(Presets.Get("nano").Moe.InLayer(0));
}
