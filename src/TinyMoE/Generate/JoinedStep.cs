using TinyMoE.Attention;
using TinyMoE.Backends;
using TinyMoE.Layers;
using TinyMoE.Models;
using TinyMoE.Tensors;

namespace TinyMoE.Generate;

/// <summary>One forward pass of the last token of each of several sequences, every one behind what its own cache holds.</summary>
internal sealed class JoinedStep
{
    private readonly Decoder model;
    private readonly NewTokens tokens = new();
    private readonly DecoderCache joined;
    private readonly List<DecoderCache> caches = [];
    private int[] numbers = []; // ids, positions, labels

    public JoinedStep(Decoder model)
    {
        this.model = model;
        joined = DecoderCache.Joined(model.Config.Model.Layers, model.Config.Model.Context, tokens);
    }

    /// <summary>The logits after each (sequences, V).</summary>
    public Tensor Forward(Backend backend, Tape tape, List<BatchSequence> sequences)
    {
        int N = sequences.Count;
        if (numbers.Length < 3 * N)
            numbers = new int[3 * N];
        Span<int> ids = numbers.AsSpan(0, N), positions = numbers.AsSpan(N, N), labels = numbers.AsSpan(2 * N, N);
        caches.Clear();
        bool hasLabels = false;
        for (int n = 0; n < N; n++)
        {
            BatchSequence sequence = sequences[n];
            DecoderCache cache = sequence.Cache!;
            caches.Add(cache);
            (ids[n], positions[n], labels[n]) = (sequence.Window[^1], cache.Length, sequence.Request.Label ?? 0);
            hasLabels |= sequence.Request.Label is not null;
        }

        TokenBatch batch = TokenBatch.OfNewTokens(tape, ids, positions, hasLabels ? labels : []);
        tokens.Begin(batch.Positions(tape));
        joined.Join(caches);
        backend.Sequences = N;
        try
        {
            return model.Forward(tape, batch, Pass.Inference, joined).Logits;
        }
        finally
        {
            backend.Sequences = 1;
        }
    }
}
