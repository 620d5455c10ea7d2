using System.Diagnostics;
using System.Text;
using TinyMoE.Tests.Files;
using TinyMoE.Web.View.Runs;

namespace TinyMoE.Tests.Web.View;

/// <summary>A metrics.jsonl that another program writes meanwhile.</summary>
public sealed class MetricsTailTests : IDisposable
{
    private readonly TemporaryFolder folder = new();
    private readonly MetricsTail tail;
    private RunMetrics metrics = new();

    public MetricsTailTests() => tail = new MetricsTail(File);

    private string File => folder["metrics.jsonl"];

    public void Dispose() => folder.Dispose();

    [Fact]
    public void LinesThatCome_AreAdded_AndAGrowingOneWaits()
    {
        Assert.False(Follow());
        Append(Step(1) + Step(2));
        Assert.True(Follow());
        Assert.Equal([1, 2], metrics.Steps);
        string line = Step(3);
        Append(line[..20]);
        Assert.False(Follow());
        Append(line[20..]);
        Assert.True(Follow());
        Assert.Equal([1, 2, 3], metrics.Steps);
        Assert.Equal(0, metrics.BrokenLines);
        Assert.False(Follow());
    }

    [Theory]
    [InlineData("{\"kind\":\"train\",\"step\":\n")]
    [InlineData("not JSON at all\n")]
    [InlineData("[1,2]\n")]
    [InlineData("{\"kind\":\"train\",\"step\":\"two\"}\n")]
    [InlineData("{\"kind\":\"routing\",\"step\":2,\"layer\":0,\"load\":[[1]]}\n")]
    public void ABrokenLine_IsCounted_AndTheOthersAreRead(string broken)
    {
        Append(Step(1) + broken + Step(3));
        Follow();
        Assert.Equal([1, 3], metrics.Steps);
        Assert.Equal(1, metrics.BrokenLines);
    }

    [Fact]
    public void ARunThatIsOverwritten_BeginsAgain()
    {
        Append(Step(1) + Step(2) + Step(3));
        Follow();
        System.IO.File.WriteAllText(File, Step(1, loss: 9)); // shorter
        Assert.True(Follow());
        Assert.Equal([9], metrics.Loss);
        System.IO.File.WriteAllText(File, Step(1, loss: 7) + Step(2, loss: 7) + Step(3, loss: 7)); // longer
        Assert.True(Follow());
        Assert.Equal([7, 7, 7], metrics.Loss);
    }

    [Fact]
    public void AResumedRun_ThatIsLongerThanBefore_HasNoStepTwice()
    {
        Append(Step(1) + Step(2) + Step(3) + Step(4));
        Follow();
        folder.Write("new", Step(1) + Step(2) + Step(3, loss: 5) + Step(4, loss: 5) + Step(5, loss: 5));
        System.IO.File.Move(folder["new"], File, overwrite: true);
        Follow();
        Assert.Equal([1, 2, 3, 4, 5], metrics.Steps);
        Assert.Equal(5, metrics.Loss[2]);
    }

    [Fact]
    public void AFolderThatVanishes_KeepsWhatWasRead_AndMayComeBack()
    {
        Append(Step(1));
        Follow();
        System.IO.File.Delete(File);
        Assert.True(Follow());
        Assert.False(tail.IsThere);
        Assert.Equal([1], metrics.Steps);
        Append(Step(1) + Step(2));
        Follow();
        Assert.True(tail.IsThere);
        Assert.Equal([1, 2], metrics.Steps);
    }

    [Fact]
    public void EveryKindOfLine_IsRead()
    {
        Append("""
            {"kind":"eval","step":2,"loss":3.5,"perplexity":33,"bits_per_byte":"NaN"}
            {"kind":"routing","step":2,"layer":1,"load":[0.25,0.75],"entropy":null,"dead":1,"changed":null,"co_activation":[[1,2],[3,4]]}
            {"kind":"warning","step":2,"layer":1,"text":"expert 0 is dead"}
            {"kind":"note","step":0,"text":"of\nno use"}
            {"kind":"memory","step":2,"peak_resident_bytes":1}
            {"kind":"of later versions","step":2}

            """);
        Follow();
        Assert.Equal((0, true), (metrics.BrokenLines, metrics.HasEnded));
        Assert.Equal([3.5], metrics.EvaluationLoss);
        Assert.Equal([double.NaN], metrics.EvaluationBitsPerByte);
        Assert.Equal([0.25f, 0.75f], metrics.Layers[1].Load[0]);
        Assert.Equal([double.NaN], metrics.Layers[1].Entropy);
        Assert.Equal([new("warning", 2, 1, "expert 0 is dead"), new RunEvent("note", 0, null, "of no use")], metrics.Events);
    }

    [Fact]
    public void ALongRun_IsReadInSeconds()
    {
        using (StreamWriter file = new(File))
        {
            for (int step = 1; step <= 100_000; step++)
                file.Write(Step(step));
        }

        Stopwatch watch = Stopwatch.StartNew();
        Follow();
        CurvePoint[] thin = Buckets.Thin(metrics.Steps, metrics.Loss, 600);
        Assert.Equal((100_000, true), (metrics.LastStep, thin.Length <= 600));
        Assert.True(watch.Elapsed < TimeSpan.FromSeconds(20), $"{watch.Elapsed}"); // one by itself; the rest is for a busy machine
    }

    private bool Follow() => tail.Follow(ref metrics, () => new RunMetrics());

    private void Append(string text) => System.IO.File.AppendAllText(File, text, new UTF8Encoding(false));

    private static string Step(int step, double loss = 2) => string.Create(System.Globalization.CultureInfo.InvariantCulture,
        $"{{\"kind\":\"train\",\"step\":{step},\"loss\":{loss},\"losses\":{{\"cross_entropy\":{loss}}},\"learning_rate\":0.001,")
        + "\"gradient_norm\":1.5,\"tokens_per_second\":1000.5,\"bits_per_byte\":2.5}\n";
}
