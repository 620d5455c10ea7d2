using TinyMoE.Data;
using TinyMoE.Tensors;

namespace TinyMoE.App;

/// <summary>Held-out sequences that are read until a token is cancelled.</summary>
internal sealed class StoppableSource(IEvaluationSource source, CancellationToken stop) : IEvaluationSource
{
    public int Sequences => source.Sequences;

    public int Context => source.Context;

    public LabelSet Labels => source.Labels;

    public long[] CountLabels() => source.CountLabels();

    public EvaluationBatch Read(Tape tape, int first, int count, bool withLabels)
    {
        stop.ThrowIfCancellationRequested();
        return source.Read(tape, first, count, withLabels);
    }
}
