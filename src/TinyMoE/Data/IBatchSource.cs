using TinyMoE.Configuration;
using TinyMoE.Tensors;

namespace TinyMoE.Data;

/// <summary>
/// Gives training its batches: windows of a text, or whatever else can be laid out as tokens and targets. What it gives is a function of
/// the configuration, the step and the part alone, so that a resumed run gets what one that never stopped gets.
/// </summary>
public interface IBatchSource
{
    /// <summary>Names exactly what it gives: two sources with the same fingerprint are the same to a model.</summary>
    string Fingerprint { get; }

    /// <summary>Number of tokens to train on.</summary>
    int TrainTokens { get; }

    /// <summary>Number of tokens held out for validation.</summary>
    int ValidationTokens { get; }

    /// <summary>What a person should know of what it gives, one line each; none for most sources.</summary>
    IReadOnlyList<string> Notes => [];

    /// <summary>
    /// The configuration with what only the source knows: the size of the vocabulary, and with router task the number of labels.
    /// </summary>
    /// <exception cref="TinyMoEException">The configuration says otherwise.</exception>
    RunConfig Complete(RunConfig config);

    /// <summary>
    /// Throws a <see cref="TinyMoEException"/> unless there is enough to train on and to hold out at a context of that many tokens.
    /// </summary>
    void CheckContext(int context);

    /// <summary>How often each id occurs in what is trained on: (V) counts.</summary>
    int[] TrainFrequencies();

    /// <summary>
    /// Part <paramref name="part"/> of <c>train.accumulation</c> of a step's batch, on the tape's device. What is copied to the tape may
    /// get there after this returned: kernels read it later than that.
    /// </summary>
    Batch TrainBatch(Tape tape, RunConfig config, int step, int part);

    /// <summary>What the evaluations of a training measure: the same every time.</summary>
    IEvaluationSource ForEvaluation(RunConfig config);

    /// <summary>
    /// Writes what a checkpoint must hold for its model to be used without the source: the tokenizer, the names of labels.
    /// </summary>
    void Save(string folder);
}

/// <summary>Held-out sequences, each of T tokens, that a model is judged by.</summary>
public interface IEvaluationSource
{
    /// <summary>Number of held-out sequences.</summary>
    int Sequences { get; }

    /// <summary>Tokens per sequence, T.</summary>
    int Context { get; }

    /// <summary>The names of the labels.</summary>
    LabelSet Labels { get; }

    /// <summary>How many tokens each label has, over all sequences.</summary>
    long[] CountLabels();

    /// <summary>
    /// Sequences <paramref name="first"/> to first + <paramref name="count"/> - 1, on the tape's device; the model gets their labels if it
    /// asks.
    /// </summary>
    EvaluationBatch Read(Tape tape, int first, int count, bool withLabels);
}
