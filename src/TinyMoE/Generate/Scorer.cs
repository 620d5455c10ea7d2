using System.Numerics.Tensors;
using TinyMoE.Backends;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tensors;

namespace TinyMoE.Generate;

/// <summary>What a model thinks of a token that follows others.</summary>
/// <param name="LogProbability">Its log-probability, to the base e.</param>
/// <param name="Rank">1 for the likeliest token, 2 for the next; among equal ones the lower id comes first.</param>
public readonly record struct TokenScore(double LogProbability, int Rank);

/// <summary>Receives the logits of the tokens of a sequence, some rows (tokens, V) at a time, in order.</summary>
public delegate void LogitsSink(ReadOnlySpan<float> rows);

/// <summary>Tells how likely a model finds each token of a sequence after those before it.</summary>
public sealed class Scorer(Backend backend, Decoder model)
{
    private const int Chunk = 512; // tokens at a time: the logits of all of a long sequence would be large

    /// <summary>The label that all tokens are taken to have, for the router task; null: none.</summary>
    public int? Label { get; init; }

    /// <summary>What routers do otherwise than they would; null: nothing.</summary>
    public Interventions? Interventions { get; init; }

    /// <summary>
    /// A score per token; of the first, which nothing comes before, null. The logits after each token go to <paramref name="logits"/>. A
    /// sequence that is longer than the model's context is read in windows that share their halves, so that every token but the first ones
    /// comes after half a context at least; logits are not told then.
    /// </summary>
    /// <exception cref="TinyMoEException">
    /// An id is none of the model's, the sequence is longer than its context and logits are wanted, or a logit is not finite.
    /// </exception>
    public IReadOnlyList<TokenScore?> Score(IReadOnlyList<int> ids, LogitsSink? logits = null, CancellationToken stop = default)
    {
        int context = model.Config.Model.Context, V = model.Config.Model.Vocabulary;
        foreach (int id in ids)
        {
            if (id < 0 || id >= V)
                throw new TinyMoEException($"the id {id} is none of the model's, which has 0 to {V - 1}");
        }

        if (ids.Count == 0)
            throw new TinyMoEException("there is no token to score");
        if (ids.Count > context && logits is not null)
            throw new TinyMoEException($"{ids.Count} tokens are more than the model's context of {context}; ask for logits of fewer");
        List<TokenScore?> scores = [null];
        for (int start = 0; scores.Count < ids.Count || start == 0;)
        {
            int end = Math.Min(start + context, ids.Count);
            ScoreWindow([.. ids.Skip(start).Take(end - start)], start, scores, logits, stop);
            start = Math.Max(start + 1, end - (context / 2));
        }

        return scores;
    }

    /// <summary>Adds the scores of the tokens of a window that have none yet.</summary>
    private void ScoreWindow(int[] window, int start, List<TokenScore?> scores, LogitsSink? logits, CancellationToken stop)
    {
        int V = model.Config.Model.Vocabulary;
        bool looksAhead = model.Config.Moe.LooksAhead; // such a model needs all of the sequence at once
        int chunk = looksAhead ? window.Length : Chunk;
        using DecoderCache? cache = looksAhead || window.Length <= chunk ? null : model.NewCache();
        float[] rows = new float[Math.Min(chunk, window.Length) * V];
        for (int first = 0; first < window.Length; first += chunk)
        {
            stop.ThrowIfCancellationRequested();
            int count = Math.Min(chunk, window.Length - first);
            Span<float> computed = rows.AsSpan(0, count * V);
            Compute(window[first..(first + count)], cache, computed);
            for (int i = 0; i < count && first + i + 1 < window.Length; i++)
            {
                if (start + first + i + 1 == scores.Count)
                    scores.Add(Of(computed.Slice(i * V, V), window[first + i + 1]));
            }

            logits?.Invoke(computed);
        }
    }

    /// <summary>The score of a token by the logits (V) that are computed before it.</summary>
    internal static TokenScore Of(ReadOnlySpan<float> logits, int id)
    {
        float own = logits[id], largest = TensorPrimitives.Max(logits);
        double sum = 0;
        int rank = 1;
        for (int v = 0; v < logits.Length; v++)
        {
            sum += Math.Exp((double)logits[v] - largest);
            if (logits[v] > own || (logits[v] == own && v < id))
                rank++;
        }

        return new TokenScore(own - (double)largest - Math.Log(sum), rank);
    }

    private void Compute(int[] ids, DecoderCache? cache, Span<float> logits)
    {
        using Tape tape = backend.NewTape(recording: false);
        Ints labels = Label is { } label ? tape.Ints([.. Enumerable.Repeat(label, ids.Length)]) : default;
        TokenBatch tokens = new(tape.Ints(ids), B: 1, ids.Length) { Labels = labels };
        backend.Read(model.Forward(tape, tokens, Pass.Inference with { Interventions = Interventions }, cache).Logits.Data, logits);
        if (!TensorPrimitives.IsFiniteAll<float>(logits))
            throw new TinyMoEException("The model's logits are not finite: its weights are damaged, or its training went wrong.");
    }
}
