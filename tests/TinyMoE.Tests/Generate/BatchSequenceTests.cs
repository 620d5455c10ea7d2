using TinyMoE.Backends.Cpu;
using TinyMoE.Configuration;
using TinyMoE.Generate;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tests.Files;
using TinyMoE.Tests.Moe;

namespace TinyMoE.Tests.Generate;

/// <summary>How texts of a batch come, end, fail, and are scored.</summary>
public sealed class BatchSequenceTests
{
    private static readonly RunConfig Long = TestModels.Tiny with { Model = TestModels.Tiny.Model with { Context = 1400, Layers = 1 } };

    [Theory]
    [InlineData("prompt is empty", 0, 5, 0.8f, null)]
    [InlineData("has the id 29, and the model knows ids from 0 to 28", 29, 5, 0.8f, null)]
    [InlineData("-1 tokens are asked for", 1, -1, 0.8f, null)]
    [InlineData("The temperature is -1", 1, 5, -1f, null)]
    [InlineData("101 alternatives per token", 1, 5, 0.8f, 101)]
    public void Add_OfAWrongRequest_IsRefusedInOneLine_AndTheOthersGoOn(string message, int id, int count, float heat, int? alternatives)
    {
        using CpuBackend backend = new(1);
        using Decoder model = TestModels.Spread(backend, TestModels.Tiny);
        using BatchGenerator batch = new(backend, model, slots: 2);
        BatchRequest good = BatchTexts.Request(TestModels.Tiny, 2);
        BatchSequence sequence = batch.Add(good);
        batch.Step();
        Assert.Contains(message, OneLine.Of(() => batch.Add(new BatchRequest
        {
            Prompt = id == 0 ? [] : [id], Count = count, Sampling = new SamplingOptions { Temperature = heat }, Alternatives = alternatives,
        })), StringComparison.Ordinal);
        Finish(batch);
        Assert.Equal(BatchTexts.Alone(backend, model, good), Ids(sequence));
    }

    [Theory]
    [InlineData(null, "needs a label from 0 to 2 for each text, and this one has none")]
    [InlineData(3, "needs a label from 0 to 2 for each text, and this one has 3")]
    public void Add_WithoutALabelThatTheRouterKnows_IsRefusedInOneLine(int? label, string message)
    {
        using CpuBackend backend = new(1);
        using Decoder model = TestModels.Spread(backend, RouterModels.Of("task"));
        using BatchGenerator batch = new(backend, model, slots: 2);
        Assert.Contains(
            message, OneLine.Of(() => batch.Add(new BatchRequest { Prompt = [1], Count = 2, Label = label })), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Text_WhoseLogitsAreNotFinite_FailsAlone(bool inThePrompt)
    {
        using CpuBackend backend = new(1);
        RunConfig config = TestModels.Tiny with { Model = TestModels.Tiny.Model with { TieEmbeddings = false } };
        using Decoder model = TestModels.Spread(backend, config);
        Parameter embedding = model.Parameters.All.Single(parameter => parameter.Name == "embedding.weight");
        float[] broken = new float[embedding.Shape[1]];
        Array.Fill(broken, float.NaN);
        model.Parameters.Write(embedding, 28 * broken.Length, broken); // whoever reads token 28 computes what is not finite
        int live = backend.Pool.LiveBuffers;
        using (BatchGenerator batch = new(backend, model, slots: 4) { Writable = [.. Enumerable.Range(0, 28)] })
        {
            BatchRequest good = new() { Prompt = [3, 4], Count = 30 };
            BatchSequence first = batch.Add(good), second = batch.Add(good with { Prompt = inThePrompt ? [1, 28, 2] : [28] });
            Finish(batch);
            Assert.StartsWith("The model's logits are not finite", second.Failure?.Message, StringComparison.Ordinal);
            Assert.Null(second.End);
            Assert.Empty(second.TokensFrom(0));
            Assert.Equal(BatchTexts.Alone(backend, model, good, batch.Writable), Ids(first));
            Assert.Equal(0, batch.Running);
        }

        Assert.Equal(live, backend.Pool.LiveBuffers);
    }

    [Fact]
    public void Cancel_FreesSlotAndCache_AndTheNextEntersInItsOrder()
    {
        using CpuBackend backend = new(1);
        using Decoder model = TestModels.Spread(backend, TestModels.Tiny);
        using BatchGenerator batch = new(backend, model, slots: 2);
        int live = backend.Pool.LiveBuffers;
        BatchRequest request = new() { Prompt = [1, 2], Count = 1000 };
        BatchSequence[] texts = [.. Enumerable.Range(0, 5).Select(_ => batch.Add(request))];
        for (int step = 0; step < 5; step++)
            batch.Step();
        Assert.Equal((2, 3), (batch.Running, batch.Waiting));
        texts[2].Cancel(); // while it waits
        texts[0].Cancel(); // while it is written
        int written = texts[0].Count;
        for (int step = 0; step < 3; step++)
            batch.Step();
        Assert.Equal(GenerationEnd.Cancelled, texts[0].End);
        Assert.Equal(written, texts[0].Count);
        Assert.Equal((2, 1), (batch.Running, batch.Waiting));
        Assert.Equal(0, texts[2].Count);
        Assert.True(texts[3].Count > 0 && texts[4].Count == 0);
        foreach (BatchSequence text in texts)
            text.Cancel();
        Assert.False(batch.Step());
        Assert.Equal((0, 0), (batch.Running, batch.Waiting));
        Assert.Equal(live, backend.Pool.LiveBuffers);
    }

    [Fact]
    public void LongPrompt_KeepsNobodyWaiting()
    {
        using CpuBackend backend = new(2);
        using Decoder model = TestModels.Spread(backend, Long);
        using BatchGenerator batch = new(backend, model, slots: 4);
        BatchRequest request = new() { Prompt = [1], Count = 50 };
        BatchSequence writes = batch.Add(request);
        batch.Step();
        BatchSequence reads = batch.Add(request with { Prompt = TestModels.Ids(1100, 29) });
        BatchSequence behind = batch.Add(request with { Prompt = TestModels.Ids(700, 29, seed: 2) });
        List<(int, int, int)> counts = [];
        for (int step = 0; step < 5; step++)
        {
            batch.Step();
            counts.Add((writes.Count, reads.Count, behind.Count));
        }

        // A step reads 512 tokens of one prompt, the older one's first, and writes a token of every text whose prompt is read.
        Assert.Equal([(2, 0, 0), (3, 0, 0), (4, 1, 0), (5, 2, 0), (6, 3, 1)], counts);
        Finish(batch);
        foreach (BatchSequence text in (BatchSequence[])[writes, reads, behind])
            Assert.Equal(BatchTexts.Alone(backend, model, text.Request), Ids(text));
    }

    [Theory]
    [InlineData("plain", 13)]
    [InlineData("latent", 1)]
    [InlineData("expert-choice", 9)]
    public void Echo_GivesTheScoresOfThePrompt_AndTheSameText(string name, int length)
    {
        using CpuBackend backend = new(2);
        RunConfig config = RouterModels.All.Contains(name) ? RouterModels.Of(name) : TestModels.Named(name);
        RequireScores(backend, config, TestModels.Ids(length, 29), 0);
        RequireScores(backend, config, TestModels.Ids(length, 29), 7);
    }

    [Fact]
    public void Echo_OfALongPrompt_GivesItsScores()
    {
        using CpuBackend backend = new(2);
        RequireScores(backend, Long, TestModels.Ids(1100, 29), 3);
        using Decoder model = TestModels.Spread(backend, Long);
        using BatchGenerator batch = new(backend, model, slots: 1);
        BatchRequest tooLong = new() { Prompt = TestModels.Ids(1401, 29), Count = 1, Echo = true, Alternatives = 0 };
        Assert.Contains("only as many as the context of 1400", OneLine.Of(() => batch.Add(tooLong)), StringComparison.Ordinal);
    }

    [Fact]
    public void Echo_WithoutScores_GivesThePrompt()
    {
        using CpuBackend backend = new(1);
        using Decoder model = TestModels.Spread(backend, TestModels.Tiny);
        using BatchGenerator batch = new(backend, model, slots: 1);
        BatchRequest request = new() { Prompt = TestModels.Ids(20, 29), Count = 3, Echo = true };
        BatchSequence text = batch.Add(request), none = batch.Add(request with { Count = 0 });
        Finish(batch);
        Assert.Equal([.. request.Prompt, .. BatchTexts.Alone(backend, model, request)], Ids(text));
        Assert.All(text.TokensFrom(0), token => Assert.True(token.LogProbability is null && token.Alternatives is null));
        Assert.Equal(request.Prompt, Ids(none));
        Assert.Equal(GenerationEnd.Length, none.End);
    }

    [Fact]
    public void LogProbabilities_AreOfTheModel_WhateverTheSampling()
    {
        using CpuBackend backend = new(1);
        using Decoder model = TestModels.Spread(backend, TestModels.Tiny);
        using BatchGenerator batch = new(backend, model, slots: 2);
        SamplingOptions sampling = new() { Temperature = 2, TopK = 3, RepetitionPenalty = 1.7f };
        BatchRequest request = new() { Prompt = [1, 2, 3, 4], Count = 8, Sampling = sampling, Alternatives = 4 };
        BatchSequence text = batch.Add(request);
        Finish(batch);
        BatchToken[] tokens = text.TokensFrom(0);
        IReadOnlyList<TokenScore?> scores = new Scorer(backend, model).Score([.. request.Prompt, .. Ids(text)]);
        for (int i = 0; i < tokens.Length; i++)
        {
            Assert.Equal(scores[request.Prompt.Count + i]!.Value.LogProbability, tokens[i].LogProbability!.Value, 1e-4);
            Assert.Equal(4, tokens[i].Alternatives!.Count);
            Assert.Equal(tokens[i].Alternatives!.OrderByDescending(one => one.LogProbability), tokens[i].Alternatives!);
        }
    }

    [Fact]
    public async Task Requests_FromManyThreads_AreAllWritten()
    {
        using CpuBackend backend = new(2);
        using Decoder model = TestModels.Spread(backend, TestModels.Tiny);
        using BatchGenerator batch = new(backend, model, slots: 6);
        using CancellationTokenSource stop = new(TimeSpan.FromMinutes(2));
        Task<BatchSequence[]>[] clients = [.. Enumerable.Range(0, 5).Select(client => Task.Run(async () =>
        {
            List<BatchSequence> mine = [];
            for (int i = 0; i < 12; i++)
            {
                mine.Add(batch.Add(BatchTexts.Request(TestModels.Tiny, client * 12 + i)));
                if (i % 3 == 2)
                    mine[^1].Cancel();
                await Task.Delay(1, stop.Token);
            }

            while (!mine.TrueForAll(text => text.IsOver))
                await Task.Delay(1, stop.Token);
            return mine.ToArray();
        }))];
        Task<BatchSequence[][]> all = Task.WhenAll(clients);
        while (!all.IsCompleted)
        {
            stop.Token.ThrowIfCancellationRequested();
            if (!batch.Step())
                Thread.Yield();
        }

        foreach (BatchSequence text in (await all).SelectMany(texts => texts))
        {
            int[] alone = BatchTexts.Alone(backend, model, text.Request), ids = Ids(text);
            Assert.Equal(text.End == GenerationEnd.Cancelled ? alone[..ids.Length] : alone, ids);
        }
    }

    [Fact]
    public void Dispose_EndsWhatIsThere()
    {
        using CpuBackend backend = new(1);
        using Decoder model = TestModels.Spread(backend, TestModels.Tiny);
        int live = backend.Pool.LiveBuffers;
        BatchGenerator batch = new(backend, model, slots: 1);
        BatchSequence[] texts = [.. Enumerable.Range(0, 3).Select(_ => batch.Add(new BatchRequest { Prompt = [1], Count = 100 }))];
        batch.Step();
        batch.Dispose();
        Assert.All(texts, text => Assert.Equal(GenerationEnd.Cancelled, text.End));
        Assert.Equal(live, backend.Pool.LiveBuffers);
        Assert.Contains("has ended", OneLine.Of(() => batch.Add(texts[0].Request)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("plain")]
    [InlineData("switch-head")]
    [InlineData("latent")]
    [InlineData("sinks")]
    [InlineData("plain" + TestModels.AllInBfloat16)]
    public void Step_OnceItGoes_AllocatesNothing(string name)
    {
        const int Texts = 5, WarmUp = 60, Measured = 40, Rounds = 4; // the context of 16 begins again several times in each
        using CpuBackend backend = new(threads: 1); // so that this thread does all of the work
        using Decoder model = TestModels.Spread(backend, TestModels.Named(name));
        using BatchGenerator batch = new(backend, model, Texts);
        BatchSequence[] texts = [.. Enumerable.Range(0, Texts).Select(i => batch.Add(new BatchRequest
        {
            Prompt = TestModels.Ids(3 + i, 29), Count = 100_000, Sampling = new SamplingOptions { Seed = (ulong)i + 1 },
        }))];
        Go(WarmUp);
        long misses = backend.Pool.Misses, least = long.MaxValue;
        for (int round = 0; round < Rounds && least > 0; round++)
        {
            long before = GC.GetAllocatedBytesForCurrentThread();
            Go(Measured);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.Equal(misses, backend.Pool.Misses);
        Assert.Equal(0, least);
        Assert.All(texts, text => Assert.Null(text.Failure));

        void Go(int steps)
        {
            for (int i = 0; i < steps; i++)
                batch.Step();
        }
    }

    private static void RequireScores(CpuBackend backend, RunConfig config, int[] prompt, int count)
    {
        using Decoder model = TestModels.Spread(backend, config);
        using BatchGenerator batch = new(backend, model, slots: 2);
        BatchRequest request = new() { Prompt = prompt, Count = count, Echo = true, Alternatives = 3 };
        BatchSequence other = batch.Add(request with { Alternatives = null, Count = 5 }), text = batch.Add(request);
        Finish(batch);
        BatchToken[] tokens = text.TokensFrom(0);
        Assert.Equal([.. prompt, .. BatchTexts.Alone(backend, model, request)], Ids(text));
        Assert.Equal(
            [.. new Scorer(backend, model).Score(prompt).Select(score => score?.LogProbability)],
            tokens.Take(prompt.Length).Select(token => token.LogProbability));
        Assert.All(tokens[1..], token => Assert.Equal(3, token.Alternatives!.Count));
        Assert.Equal(GenerationEnd.Length, text.End);
        Assert.Null(other.Failure);
    }

    private static int[] Ids(BatchSequence text) => [.. text.TokensFrom(0).Select(token => token.Id)];

    private static void Finish(BatchGenerator batch)
    {
        for (int step = 0; batch.Step(); step++)
            Assert.InRange(step, 0, 5000);
    }
}
