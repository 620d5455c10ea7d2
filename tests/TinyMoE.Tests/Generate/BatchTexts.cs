using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Generate;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Generate;

/// <summary>Texts of many kinds that come and go in a <see cref="BatchGenerator"/>, and what each is alone.</summary>
internal static class BatchTexts
{
    private static readonly SamplingOptions[] Samplings =
    [
        new() { Temperature = 0 },
        new() { Temperature = 1, Seed = 11 },
        new() { Temperature = 1.3f, TopK = 7, Seed = 12 },
        new() { Temperature = 1.2f, TopP = 0.9f, RepetitionPenalty = 1.3f, Seed = 13 },
        new() { Temperature = 1.5f, MinP = 0.05f, RepetitionPenalty = 0.8f, Seed = 14 },
    ];

    /// <summary>Request i: prompts of 1 to 20 tokens (the context of the small models is 16), texts of 1 to 45.</summary>
    public static BatchRequest Request(RunConfig config, int i, bool scores = false) => new()
    {
        Prompt = TestModels.Ids(1 + i * 7 % 20, config.Model.Vocabulary, seed: 100 + i),
        Count = 1 + i * 13 % 45,
        Sampling = Samplings[i % Samplings.Length],
        StopTokens = i % 4 == 3 ? new HashSet<int> { 5, 6, 7 } : new HashSet<int>(),
        Label = config.Moe.RoutesByLabel ? i % 3 : null,
        Alternatives = scores ? Math.Min(config.Model.Vocabulary, BatchRequest.MostAlternatives) : null,
    };

    /// <summary>The ids of a request, written by a generator for it alone.</summary>
    public static int[] Alone(Backend backend, Decoder model, BatchRequest request, IReadOnlyList<int>? writable = null) =>
    [
        .. new Generator(backend, model)
        {
            Writable = writable, StopTokens = request.StopTokens, Label = request.Label, ChoosesOnHost = true,
        }.Generate(request.Prompt, request.Count, request.Sampling),
    ];

    /// <summary>The ids of these requests, of which so many are written together; a new one comes every other step.</summary>
    public static int[][] Together(
        Backend backend, Decoder model, int slots, IReadOnlyList<BatchRequest> requests, IReadOnlyList<int>? writable = null)
    {
        using BatchGenerator batch = new(backend, model, slots) { Writable = writable };
        List<BatchSequence> sequences = [.. requests.Take(slots).Select(batch.Add)];
        for (int step = 0; batch.Step() || sequences.Count < requests.Count; step++)
        {
            Assert.InRange(step, 0, 5000);
            Assert.InRange(batch.Running, 0, slots);
            if (step % 2 == 1 && sequences.Count < requests.Count)
                sequences.Add(batch.Add(requests[sequences.Count]));
        }

        Assert.All(sequences, sequence => Assert.Null(sequence.Failure));
        return [.. sequences.Select(sequence => sequence.TokensFrom(0).Select(token => token.Id).ToArray())];
    }

    /// <summary>Every text is as it is alone, so many at a time.</summary>
    public static void RequireAsAlone(Backend backend, RunConfig config, IReadOnlyList<int> slots, int more = 4)
    {
        using Decoder model = TestModels.Spread(backend, config);
        int live = backend.Pool.LiveBuffers;
        BatchRequest[] requests = [.. Enumerable.Range(0, slots.Max() + more).Select(i => Request(config, i))];
        int[][] alone = [.. requests.Select(request => Alone(backend, model, request))];
        Assert.True(alone.SelectMany(ids => ids).Distinct().Count() > 5, "models that repeat themselves prove nothing");
        foreach (int count in slots)
        {
            int texts = count + more;
            Assert.Equal(alone[..texts], Together(backend, model, count, requests[..texts]));
            Assert.Equal(live, backend.Pool.LiveBuffers);
        }
    }

    /// <summary>The log-probabilities of all tokens after each of a text (tokens, V), computed alone token by token.</summary>
    public static double[][] ScoresAlone(Backend backend, Decoder model, BatchRequest request, IReadOnlyList<int> text)
    {
        int V = model.Config.Model.Vocabulary, context = model.Config.Model.Context;
        List<int> window = [.. request.Prompt.Skip(request.Prompt.Count - context)];
        using DecoderCache cache = model.NewCache();
        List<double[]> scores = [];
        foreach (int id in text)
        {
            if (window.Count > context)
            {
                window.RemoveRange(0, window.Count - context / 2);
                cache.Clear();
            }

            using Tape tape = backend.NewTape(recording: false);
            TokenBatch tokens = TokenBatch.OfSequence(tape, tape.Ints([.. window.Skip(cache.Length)]), request.Label);
            float[] logits = backend.Read(model.Forward(tape, tokens, Pass.Inference, cache, lastOnly: true).Logits.Data);
            scores.Add(InOrderOfIds(LogProbabilities.Of(logits, id, V, null)));
            window.Add(id);
        }

        return [.. scores];
    }

    /// <summary>The log-probabilities of all tokens that could be there.</summary>
    public static double[] InOrderOfIds(BatchToken token) =>
        [.. token.Alternatives!.OrderBy(one => one.Id).Select(one => one.LogProbability)];
}
