using TinyMoE.Backends.Cpu;
using TinyMoE.Examples.UnderstandingMoe;

namespace TinyMoE.Tests.Examples;

/// <summary>
/// The example understanding-moe with a sixteenth of the examples and
/// half of the steps: too few for its accuracy, enough for what it shows.
/// </summary>
public sealed class UnderstandingMoeTests
{
    private static readonly Setting Published =
        Setting.Load(Path.Combine(FloorsTests.RepositoryRoot(), "examples", "studies", "understanding-moe", "config.json"));

    private static readonly Setting Small = Published with
    {
        Data = Published.Data with { Examples = 1000 },
        Single = Published.Single with { Epochs = 100 },
        Mixture = Published.Mixture with { Epochs = 250 },
    };

    [Fact]
    public void NonlinearMixture_BeatsTheSingleModel_AndSplitsTheClusters()
    {
        using CpuBackend backend = new();
        Outcome single = Experiment.Run(backend, ModelKind.SingleNonlinear, Small, seed: 1);
        Outcome mixture = Experiment.Run(backend, ModelKind.MixtureOfNonlinear, Small, seed: 1);
        Assert.InRange(mixture.TestAccuracy, 0.95, 1.0);
        Assert.InRange(single.TestAccuracy, 0.0, 0.85);
        Assert.InRange(mixture.DispatchEntropy, 0.0, 0.5);
        Assert.Equal(Math.Log(4), single.DispatchEntropy, 0.02);
    }

    [Fact]
    public void Examples_HaveTheirClustersPatches()
    {
        (Dataset train, Dataset test) = Dataset.Make(Small.Data, seed: 3);
        Assert.NotEqual(train.Classes, test.Classes);
        Assert.Equal(Enumerable.Range(0, Small.Data.Clusters), train.Clusters.Distinct().Order());
        Assert.Equal([0, 1], train.Classes.Distinct().Order());

        // three patches have lengths within the setting's ranges, the noise is about as long as the scale
        for (int i = 0; i < train.Count; i++)
        {
            int patch = Small.Data.Patch, at = i * train.Width;
            float[][] patches = [.. train.Values.AsSpan(at, Dataset.Patches * patch).ToArray().Chunk(patch)];
            float[] lengths = [.. patches.Select(values => MathF.Sqrt(values.Sum(value => value * value)))];
            Assert.All(lengths, length => Assert.InRange(length, 0.499f * Small.Data.Scale, 3.001f * Small.Data.Scale));
        }
    }

    [Fact]
    public void DispatchEntropy_IsThatOfTheClusterGivenTheExpert()
    {
        Assert.Equal(0, new Outcome(1, 1, new[,] { { 5, 0, 0 }, { 0, 0, 9 } }, 1, 1).DispatchEntropy, 12);
        Assert.Equal(Math.Log(2), new Outcome(1, 1, new[,] { { 5, 1 }, { 5, 1 } }, 1, 1).DispatchEntropy, 12);
        Assert.Equal(8.0 / 12 * Math.Log(2), new Outcome(1, 1, new[,] { { 4, 4 }, { 0, 4 }, { 0, 0 } }, 1, 1).DispatchEntropy, 12);
    }
}
