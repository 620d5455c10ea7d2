using System.Numerics.Tensors;
using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Data;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Moe;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Inspect;

/// <summary>
/// Follows every token through a model: which experts it went to and how sure the router was, how likely it was, and what was expected
/// after it. Nothing is drawn and nothing trained; the numbers are those of an evaluation of the same windows.
/// </summary>
public sealed class Tracer
{
    private readonly Backend backend;
    private readonly Decoder model;
    private readonly int predictions;
    private readonly TraceObserver observer;
    private readonly Pass pass;
    private float[] logits = [];                                 // (N, V), of one batch after the other

    /// <summary>
    /// Traces a model, with the <paramref name="predictions"/> likeliest ids to follow each token; its routers may do otherwise than they
    /// would.
    /// </summary>
    public Tracer(Backend backend, Decoder model, int predictions = 0, Interventions? interventions = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(predictions);
        (this.backend, this.model, this.predictions) = (backend, model, Math.Min(predictions, model.Config.Model.Vocabulary));
        observer = new TraceObserver(model.Config.Attention);
        pass = Pass.Inference with { Observer = observer, Interventions = interventions };
    }

    /// <summary>Traces the windows of a source, so many at a time as an evaluation reads.</summary>
    /// <exception cref="TinyMoEException">The model's logits are not finite, or it does not know a label.</exception>
    public IEnumerable<TraceBatch> Trace(IEvaluationSource source)
    {
        int first = 0;
        foreach (int count in EvaluationGroups.Of(model.Config, source.Sequences))
        {
            yield return Trace(source, first, count);
            first += count;
        }
    }

    /// <summary>
    /// Traces one text. Of a text that is longer than <paramref name="context"/> (0: the model's), windows share their halves, as a
    /// <c>Scorer</c> has them, so that every token but the first ones comes after half a context at least; each token is traced once.
    /// </summary>
    /// <exception cref="TinyMoEException">The model's logits are not finite, an id is none of its, or its router needs labels.</exception>
    public IEnumerable<TraceBatch> Trace(IReadOnlyList<int> ids, int context = 0)
    {
        int V = model.Config.Model.Vocabulary;
        foreach (int id in ids)
        {
            if (id < 0 || id >= V)
                throw new TinyMoEException($"the id {id} is none of the model's, which has 0 to {V - 1}");
        }

        context = context == 0 ? model.Config.Model.Context : context;
        for (int start = 0, window = 0, done = 0; done < ids.Count; window++)
        {
            int end = Math.Min(start + context, ids.Count);
            int[] read = [.. ids.Skip(start).Take(end - start)];
            yield return TraceWindow(read, window, traced: done - start);
            (done, start) = (end, Math.Max(start + 1, end - (context / 2)));
        }
    }

    private TraceBatch Trace(IEvaluationSource source, int first, int count)
    {
        MoeConfig moe = model.Config.Moe;
        using Tape tape = backend.NewTape(recording: false);
        EvaluationBatch batch = source.Read(tape, first, count, moe.RoutesByLabel);
        if (moe.RoutesByLabel)
            source.Labels.RequireTrained(batch.Labels, moe.Tasks);
        float[]? counting = batch.Batch.Tokens.Mask?.Column.ToArray();
        bool[] traced = new bool[batch.Batch.Tokens.Count];
        for (int n = 0; n < traced.Length; n++)
            traced[n] = counting is null || counting[n] != 0f;
        return Read(tape, batch.Batch.Tokens, backend.Read(batch.Batch.Targets), first, traced) with { Labels = batch.Labels };
    }

    /// <summary>Traces the windows of a batch once more, in this model.</summary>
    internal TraceBatch Again(TraceBatch batch)
    {
        using Tape tape = backend.NewTape(recording: false);
        TokenBatch tokens = new(tape.Ints(batch.Ids), batch.Ids.Length / batch.T, batch.T)
        {
            Labels = model.Config.Moe.RoutesByLabel ? tape.Ints(batch.Labels) : default,
        };
        return Read(tape, tokens, batch.NextIds, batch.FirstWindow, batch.Traced) with { Labels = batch.Labels };
    }

    /// <summary>One window, whose tokens before <paramref name="traced"/> are only read.</summary>
    private TraceBatch TraceWindow(int[] ids, int window, int traced)
    {
        using Tape tape = backend.NewTape(recording: false);
        bool[] isTraced = new bool[ids.Length];
        isTraced.AsSpan(traced).Fill(true);
        return Read(tape, new TokenBatch(tape.Ints(ids), B: 1, ids.Length), [.. ids.Skip(1), -1], window, isTraced);
    }

    private TraceBatch Read(Tape tape, TokenBatch tokens, int[] nextIds, int firstWindow, bool[] traced)
    {
        observer.Clear();
        DecoderOutput output = model.Forward(tape, tokens, pass);
        int N = tokens.Count, T = tokens.T;
        float[] losses = new float[N], nextLosses = new float[N];
        int[] ranks = new int[N], predictedIds = new int[N * predictions];
        float[] probabilities = new float[N * predictions];
        float[] logSumExp = output.Logits.LogSumExp().ToArray(); // (N)
        if (!TensorPrimitives.IsFiniteAll<float>(logSumExp))
            throw new TinyMoEException("The model's logits are not finite: its weights are damaged, or its training went wrong.");
        int V = output.Logits.Shape.Last;
        if (logits.Length < N * V)
            logits = new float[N * V];
        backend.Read(output.Logits.Data, logits.AsSpan(0, N * V));
        for (int n = 0; n < N; n++)
        {
            Span<float> row = logits.AsSpan(n * V, V);
            int next = nextIds[n];
            bool hasNext = next >= 0, goesOn = (n + 1) % T != 0;
            nextLosses[n] = hasNext ? logSumExp[n] - row[next] : float.NaN;
            if (n % T == 0)
                losses[n] = float.NaN;
            if (goesOn)
                (losses[n + 1], ranks[n + 1]) = (nextLosses[n], hasNext ? TraceLogits.Rank(row, next) : 0);
            Span<int> ids = predictedIds.AsSpan(n * predictions, predictions);
            Span<float> likely = probabilities.AsSpan(n * predictions, predictions);
            TraceLogits.Largest(row, ids, likely);
            for (int i = 0; i < likely.Length; i++)
                likely[i] = MathF.Exp(likely[i] - logSumExp[n]);
        }

        return new TraceBatch(firstWindow, T, backend.Read(tokens.Ids))
        {
            Traced = traced,
            Losses = losses,
            Ranks = ranks,
            NextIds = nextIds,
            NextLosses = nextLosses,
            PredictedIds = predictedIds,
            PredictedProbabilities = probabilities,
            Layers = [.. output.Routings.Select(each => LayerOf(each.Layer, each.Routing, observer.NormsOf(each.Layer)))],
            Heads = observer.Heads,
        };
    }

    /// <summary>What a router did, on the host. norms (rows).</summary>
    private static TraceLayer LayerOf(int layer, Routing routing, float[] norms)
    {
        int N = routing.Assignment.TokenCount, E = routing.Assignment.Experts, K = routing.Choices.Length / N;
        int[] wanted = routing.Assignment.Gates.Tape.Backend.Read(routing.Choices), offsets = new int[N + 1]; // wanted (N, K)
        HostAssignment rows = new(routing.Assignment);
        int count = wanted.Length - wanted.AsSpan().Count(-1);
        int[] experts = new int[count];
        float[] gates = new float[count], outputNorms = new float[count];
        bool[] served = new bool[count];
        int choice = 0;
        for (int n = 0; n < N; n++)
        {
            ReadOnlySpan<int> own = rows.RowsOf(n);
            int from = 0;
            foreach (int e in wanted.AsSpan(n * K, K))
            {
                if (e < 0)
                    continue;
                int place = FindRow(e, own, rows.Experts, from);
                (experts[choice], served[choice], outputNorms[choice]) = (e, place >= 0, float.NaN);
                if (place >= 0)
                    (gates[choice], outputNorms[choice], from) = (rows.Gates[own[place]], norms[own[place]], place + 1);
                choice++;
            }

            offsets[n + 1] = choice;
        }

        (float[]? probabilities, float[]? h) = (routing.Scores.Probabilities?.ToArray(), routing.Scores.Logits?.ToArray());
        return new TraceLayer(layer, E, offsets)
        {
            Expert = experts,
            Gate = gates,
            Served = served,
            OutputNorm = outputNorms,
            Probabilities = probabilities,
            LogitNorm = h is null ? null : TraceLogits.Norms(h, E),
            Entropy = probabilities is null ? null : TraceLogits.Entropies(probabilities, E),
        };
    }

    /// <summary>Where among the rows of a token an expert's is, looked for from a place on, where it mostly is; −1: it has none.</summary>
    private static int FindRow(int expert, ReadOnlySpan<int> rows, int[] expertOf, int from)
    {
        for (int i = 0; i < rows.Length; i++)
        {
            int place = from + i < rows.Length ? from + i : from + i - rows.Length;
            if (expertOf[rows[place]] == expert)
                return place;
        }

        return -1;
    }
}
