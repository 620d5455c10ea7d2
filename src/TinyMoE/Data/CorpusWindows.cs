using TinyMoE.Layers;
using TinyMoE.Tensors;

namespace TinyMoE.Data;

/// <summary>Some validation windows of a corpus, to be evaluated.</summary>
internal sealed class CorpusWindows(Corpus corpus, int context, IReadOnlyList<int> windows) : IEvaluationSource
{
    public int Sequences => windows.Count;

    public int Context => context;

    public LabelSet Labels => corpus.Labels;

    public long[] CountLabels()
    {
        long[] counts = new long[corpus.Labels.Count];
        int[] ids = new int[context], labels = new int[context];
        foreach (int window in windows)
        {
            corpus.ValidationWindow(window, ids, ids, labels);
            foreach (int label in labels)
                counts[label]++;
        }

        return counts;
    }

    public EvaluationBatch Read(Tape tape, int first, int count, bool withLabels)
    {
        int T = context;
        int[] inputs = new int[count * T], targets = new int[count * T], labels = new int[count * T];
        for (int b = 0; b < count; b++)
            corpus.ValidationWindow(windows[first + b], inputs.AsSpan(b * T, T), targets.AsSpan(b * T, T), labels.AsSpan(b * T, T));
        TokenBatch tokens = new(tape.Ints(inputs), count, T) { Labels = withLabels ? tape.Ints(labels) : default };
        return new EvaluationBatch(new Batch(tokens, tape.Ints(targets)), labels, corpus.Tokenizer.ByteCount(targets));
    }
}
