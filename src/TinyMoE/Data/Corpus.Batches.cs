using System.Buffers;
using TinyMoE.Configuration;
using TinyMoE.Files;
using TinyMoE.Layers;
using TinyMoE.Tensors;
using TinyMoE.Tokenizers;

namespace TinyMoE.Data;

/// <summary>A corpus as a source of batches: for training windows at random places, for evaluation windows laid end to end.</summary>
public sealed partial class Corpus : IBatchSource
{
    int IBatchSource.TrainTokens => split;

    int IBatchSource.ValidationTokens => ids.Length - split;

    /// <inheritdoc/>
    public RunConfig Complete(RunConfig config) => config.WithVocabulary(Tokenizer.Vocabulary).WithLabels(Labels.Count);

    /// <inheritdoc/>
    public Batch TrainBatch(Tape tape, RunConfig config, int step, int part)
    {
        TrainConfig train = config.Train;
        int B = train.Batch / train.Accumulation, T = config.Model.Context, N = B * T;
        bool withLabels = config.Moe.RoutesByLabel;
        int[] rented = ArrayPool<int>.Shared.Rent(3 * N);
        try
        {
            Span<int> inputs = rented.AsSpan(0, N), targets = rented.AsSpan(N, N), labels = withLabels ? rented.AsSpan(2 * N, N) : [];
            TrainBatch(train.Seed, step, first: part * B, T, inputs, targets, labels);
            TokenBatch tokens = new(tape.Ints(inputs), B, T) { Labels = withLabels ? tape.Ints(labels) : default };
            return new Batch(tokens, tape.Ints(targets)) { TargetBytes = Tokenizer.ByteCount(targets) };
        }
        finally
        {
            ArrayPool<int>.Shared.Return(rented);
        }
    }

    /// <summary>These validation windows of T ids, to be evaluated.</summary>
    public IEvaluationSource ForEvaluation(int context, IReadOnlyList<int> windows) => new CorpusWindows(this, context, windows);

    /// <inheritdoc/>
    public IEvaluationSource ForEvaluation(RunConfig config) =>
        ForEvaluation(config.Model.Context, SpreadValidationWindows(config.Model.Context, config.Train.EvalWindows));

    /// <summary>Writes <c>tokenizer.json</c> and <c>labels.json</c>.</summary>
    public void Save(string folder)
    {
        Tokenizer.Save(Path.Combine(folder, RunFiles.Tokenizer));
        Labels.Save(Path.Combine(folder, RunFiles.Labels));
    }
}
