using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Inspect;
using TinyMoE.Models;
using TinyMoE.Tokenizers;
using TinyMoE.Train;

namespace TinyMoE.Tests.Train;

public sealed class EvaluationTests
{
    [Theory]
    [InlineData("plain")]
    [InlineData("noisy")]
    public void Loss_IsTheMeanCrossEntropyOfTheWindows_WithoutNoiseDropoutOrBalanceLosses(string name)
    {
        Corpus corpus = TestModels.Corpus();
        RunConfig config = TestModels.Named(name).For(corpus);
        config = config with { Moe = config.Moe with { BalanceLoss = 100f } };
        using CpuBackend backend = new(2);
        using Decoder model = new(backend, config);
        int T = config.Model.Context, V = config.Model.Vocabulary;
        int[] windows = [0, 1, 2, 5, 7], inputs = new int[T], targets = new int[T];

        double expected = 0;
        foreach (int window in windows)
        {
            corpus.ValidationWindow(window, inputs, targets);
            float[] logits = TestModels.Logits(backend, model, inputs, B: 1);
            for (int t = 0; t < T; t++)
            {
                double sum = Enumerable.Range(0, V).Sum(v => Math.Exp(logits[t * V + v]));
                expected -= (logits[t * V + targets[t]] - Math.Log(sum)) / (T * windows.Length);
            }
        }

        (EvalReport report, IReadOnlyList<RoutingReport> routing) = Evaluation.Run(backend, model, corpus, windows, step: 3);
        Assert.Equal(expected, report.Loss, 1e-5);
        Assert.Equal(Math.Exp(expected), report.Perplexity, 1e-3);
        Assert.Equal(expected / Math.Log(2), report.BitsPerByte, 1e-5); // every character of the text is one byte
        Assert.Equal([0, 1], routing.Select(layer => layer.Layer));
        Assert.All(routing, layer => Assert.Equal(1f, layer.Load.Sum(), 1e-5f));
    }

    [Fact]
    public void Validation_IsTheLastTenthOfTheText_AndTrainingNeverReadsIt()
    {
        int[] ids = [.. Enumerable.Range(0, 1000).Select(i => i < 900 ? 1 : 2)];
        Corpus corpus = new(new ByteTokenizer(), ids, 0.1f);
        Assert.Equal(100, corpus.Validation.Length);
        int[] inputs = new int[64 * 16], targets = new int[64 * 16];
        for (int step = 1; step < 50; step++)
        {
            corpus.TrainBatch(seed: 1, step, first: 0, context: 16, inputs, targets);
            Assert.DoesNotContain(2, inputs);
            Assert.DoesNotContain(2, targets);
        }
    }
}
