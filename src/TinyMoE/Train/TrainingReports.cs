using TinyMoE.Inspect;

namespace TinyMoE.Train;

/// <summary>Device, sizes and notes of a run, told once before its first step.</summary>
/// <param name="Device">Where it computes, in words.</param>
/// <param name="TotalParameters">Number of all weights.</param>
/// <param name="ActiveParameters">Number of the weights that one token passes.</param>
/// <param name="TrainTokens">Tokens of the training text.</param>
/// <param name="ValidationTokens">Tokens of the held-out text.</param>
/// <param name="Vocabulary">Symbols of the model: as many as the tokenizer has, or more.</param>
/// <param name="FirstStep">The first step to come: 1, or later in a resumed run.</param>
/// <param name="Steps">The last step.</param>
/// <param name="Notes">
/// What a person should know of the configuration (<see cref="Configuration.ConfigNotes"/>); null or empty: nothing.
/// </param>
public sealed record TrainingStart(
    string Device,
    long TotalParameters,
    long ActiveParameters,
    int TrainTokens,
    int ValidationTokens,
    int Vocabulary,
    int FirstStep,
    int Steps,
    IReadOnlyList<NoteReport>? Notes = null);

/// <summary>Losses, gradient norm and speed of one training step.</summary>
/// <param name="Step">The step, from 1.</param>
/// <param name="Loss">
/// What the objective calls the loss, as mean over the batch in nats per token: of language modelling the cross-entropy.
/// </param>
/// <param name="Losses">
/// All losses by name, unweighted: <c>cross_entropy</c>, each balance loss, and <c>total</c>, the weighted sum that is trained on.
/// </param>
/// <param name="LearningRate">The learning rate of the step.</param>
/// <param name="GradientNorm">Norm of the whole gradient before it was clipped.</param>
/// <param name="TokensPerSecond">Tokens trained on per second in this step.</param>
/// <param name="Dropped">With a capacity factor: share of the choices that found their expert full, over all layers; else null.</param>
/// <param name="BitsPerByte">The loss in bits, per byte of the batch's targets; null where they are no text.</param>
public sealed record StepReport(
    int Step,
    float Loss,
    IReadOnlyDictionary<string, float> Losses,
    float LearningRate,
    float GradientNorm,
    double TokensPerSecond,
    float? Dropped = null,
    double? BitsPerByte = null);

/// <summary>The loss of one evaluation on held-out text.</summary>
/// <param name="Step">The step after which it was made.</param>
/// <param name="Loss">Mean cross-entropy in nats per token.</param>
/// <param name="Perplexity">e to the power of the loss.</param>
/// <param name="BitsPerByte">The loss in bits, per byte of the text: comparable between tokenizers.</param>
/// <param name="Causal">False for a model that looks at later tokens: the loss is not that of a language model.</param>
public sealed record EvalReport(int Step, double Loss, double Perplexity, double BitsPerByte, bool Causal = true);

/// <summary>A note on a run that a person should know.</summary>
/// <param name="Step">The step after which it holds; 0 from the start.</param>
/// <param name="Text">The note, in one line.</param>
public sealed record NoteReport(int Step, string Text);

/// <summary>Something that a run could not do, such as a save on a full disk; it goes on and tries again.</summary>
/// <param name="Step">The step after which it happened.</param>
/// <param name="Text">What happened and what it means, in one line.</param>
public sealed record ProblemReport(int Step, string Text);

/// <summary>What a run took of the machine's memory, beside what was predicted; of the process that made the steps.</summary>
/// <param name="Step">The last step it made.</param>
/// <param name="PeakResidentBytes">Most memory that the process had at a time: the runtime, the text and the model.</param>
/// <param name="PeakPoolBytes">Most of it that weights, gradients, moments, activations and scratch had rented.</param>
/// <param name="PredictedBytes">What <see cref="Models.ModelSize.TrainingBytes"/> says of the configuration.</param>
public sealed record MemoryReport(int Step, long PeakResidentBytes, long PeakPoolBytes, long PredictedBytes);

/// <summary>Is told how training goes; called on the training thread, between steps.</summary>
public interface ITrainingListener
{
    /// <summary>Called before the first step.</summary>
    void OnStart(TrainingStart start);

    /// <summary>Called after every step.</summary>
    void OnStep(StepReport r);

    /// <summary>Called after an evaluation; <paramref name="best"/>: it is the best of the run so far.</summary>
    void OnEvaluation(EvalReport eval, IReadOnlyList<RoutingReport> routing, bool best);

    /// <summary>Called after an evaluation, for each layer whose router goes wrong.</summary>
    void OnWarning(WarningReport warning)
    {
    }

    /// <summary>Called when something shows in the steps that a person should know, as why they are slower than need be.</summary>
    void OnNote(NoteReport note)
    {
    }

    /// <summary>Called when something could not be done that the run tries again, such as a save on a full disk.</summary>
    void OnProblem(ProblemReport problem)
    {
    }

    /// <summary>Called after a checkpoint was written.</summary>
    void OnCheckpoint(int step, string path);
}

/// <summary>The state in which a run ended, and the memory that it took.</summary>
/// <param name="Step">The last step done.</param>
/// <param name="Finished">False when it was stopped before its last step.</param>
/// <param name="BestLoss">The lowest validation loss, infinite when there was no evaluation.</param>
/// <param name="BestStep">The step of the best evaluation.</param>
/// <param name="Memory">The memory that the run took.</param>
public sealed record TrainingResult(int Step, bool Finished, double BestLoss, int BestStep, MemoryReport Memory)
{
    /// <summary>The lowest validation loss in bits per byte of the text; null where the targets are no text.</summary>
    public double? BestBitsPerByte { get; init; }
}
