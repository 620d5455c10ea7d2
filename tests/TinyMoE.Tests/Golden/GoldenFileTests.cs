using System.Text.Json;

namespace TinyMoE.Tests.Golden;

public sealed class GoldenFileTests
{
    public static TheoryData<string> Models => ["mixtral", "mixtral_plain", "makemoe", "nano"];

    [Theory]
    [MemberData(nameof(Models))]
    public void Load_EveryModel_HasAGradientOfItsShapeForEveryParameter(string name)
    {
        GoldenFile golden = GoldenFile.Load(name);
        Assert.NotEmpty(golden.NamesUnder("param/"));
        Assert.Equal(golden.NamesUnder("param/"), golden.NamesUnder("grad/"));
        foreach (string parameter in golden.NamesUnder("param/"))
        {
            Assert.Equal(golden.Shape("param/" + parameter), golden.Shape("grad/" + parameter));
            Assert.Contains(golden["grad/" + parameter], value => value != 0);
        }

        foreach (string tensor in golden.Names)
        {
            Assert.Equal(golden.Shape(tensor).Aggregate(1, (product, size) => product * size), golden[tensor].Length);
            Assert.All(golden[tensor], value => Assert.True(float.IsFinite(value)));
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void Load_EveryModel_CrossEntropyIsThatOfItsLogits(string name)
    {
        GoldenFile golden = GoldenFile.Load(name);
        int V = JsonDocument.Parse(golden.Config).RootElement.GetProperty("model").GetProperty("vocabulary").GetInt32();
        int[] targets = golden.Ints("targets");
        Assert.Equal([.. golden.Shape("ids"), V], golden.Shape("logits"));
        Assert.Contains(-1, targets);

        double[] losses = [.. Enumerable.Range(0, targets.Length).Where(n => targets[n] >= 0).Select(n =>
        {
            ReadOnlySpan<float> row = golden["logits"].AsSpan(n * V, V);
            double sum = 0;
            foreach (float logit in row)
                sum += Math.Exp(logit);
            return Math.Log(sum) - row[targets[n]];
        })];
        Assert.Equal(losses.Average(), golden["loss/cross_entropy"][0], 1e-5);
    }
}
