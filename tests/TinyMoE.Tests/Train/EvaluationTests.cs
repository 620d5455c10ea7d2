using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Inspect;
using TinyMoE.Models;
using TinyMoE.Tests.Moe;
using TinyMoE.Tests.Tokenizers;
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

        (EvalReport report, IReadOnlyList<RoutingReport> routing) =
            Evaluation.Run(backend, model, corpus.ForEvaluation(T, windows), step: 3);
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

    [Theory]
    [InlineData(RouterModels.ByBatch, 0)]
    [InlineData(RouterModels.ByPosition, 0)]
    [InlineData("expert-choice", 1e-6)]
    [InlineData("top-k", 1e-6)]
    public void Loss_IsTheSameForAnyTrainingBatch(string name, double tolerance)
    {
        Corpus corpus = TestModels.Corpus();
        using CpuBackend backend = new(2);
        int[] windows = [.. Enumerable.Range(0, 21)];
        EvaluationOutcome[] results =
        [
            .. new[] { 1, 3, 8, 32 }.Select(batch =>
            {
                RunConfig config = RouterModels.Of(name).For(corpus);
                using Decoder model = RouterModels.Spread(backend, config with { Train = config.Train with { Batch = batch } });
                return Evaluation.Run(backend, model, corpus.ForEvaluation(config.Model.Context, windows), step: 1);
            }),
        ];

        Assert.All(results, result => Assert.Equal(results[0].Report.Loss, result.Report.Loss, tolerance));
        Assert.All(results, result => Assert.Equal(results[0].Routing[0].Load, result.Routing[0].Load));
    }

    [Theory]
    [InlineData("top-k", 4, 2, 10, new[] { 4, 4, 2 })]
    [InlineData("expert-choice", 4, 2, 10, new[] { 4, 4, 2 })]       // among the tokens of a sequence
    [InlineData(RouterModels.ByBatch, 4, 2, 3, new[] { 1, 1, 1 })]
    [InlineData(RouterModels.ByPosition, 4, 2, 21, new[] { 10, 11 })] // of 8 at least
    [InlineData(RouterModels.ByPosition, 4, 2, 5, new[] { 5 })]
    [InlineData(RouterModels.ByPosition, 27, 2, 60, new[] { 30, 30 })] // every expert takes 2 of 27
    public void Groups_OfWindowsReadTogether_DependOnTheBatchOnlyWhereThatDoesNotMatter(
        string name, int experts, int active, int windows, int[] expected)
    {
        RunConfig config = RouterModels.Of(name);
        config = config with { Moe = config.Moe with { Experts = experts, Active = active }, Train = config.Train with { Batch = 4 } };

        Assert.Equal(expected, EvaluationGroups.Of(config, windows));
    }

    [Fact]
    public void Groups_WithAccumulation_AreThoseWithoutIt()
    {
        RunConfig config = RouterModels.Of("top-k");
        RunConfig parts = config with { Train = config.Train with { Batch = 8, Accumulation = 4 } };
        Assert.Equal([8, 2], EvaluationGroups.Of(parts, 10)); // or the loss would differ in its last bits
    }

    [Fact]
    public void BitsPerByte_OfTokensThatStandForNoneOrManyBytes_AreAllBitsOverTheBytesOfTheTargets()
    {
        MergeTokenizer tokenizer = new("th", "the", " the");
        int[] line = [MergeTokenizer.Begin, tokenizer.IdOf("the"), tokenizer.IdOf(" the"), 2 + 'x'];
        int[] ids = [.. Enumerable.Repeat(line, 60).SelectMany(id => id)];
        RunConfig config = TestModels.Tiny with { Model = TestModels.Tiny.Model with { Vocabulary = tokenizer.Vocabulary } };
        using CpuBackend backend = new(1);
        using Decoder model = new(backend, config);
        int T = config.Model.Context;
        Corpus corpus = new(tokenizer, ids, 0.5f);

        EvalReport report = Evaluation.Run(backend, model, corpus.ForEvaluation(T, [0, 1, 2]), step: 1).Report;

        int bytes = 3 * T / line.Length * (3 + 4 + 1);
        Assert.Equal(report.Loss * 3 * T / (Math.Log(2) * bytes), report.BitsPerByte, 1e-9);

        Corpus silent = new(tokenizer, Enumerable.Repeat(MergeTokenizer.Pad, 100).ToArray(), 0.5f);
        Assert.Equal(double.NaN, Evaluation.Run(backend, model, silent.ForEvaluation(T, [0]), step: 1).Report.BitsPerByte);
    }
}
