namespace TinyMoE.Train;

/// <summary>What a run is, told once before its first step.</summary>
/// <param name="Device">Where it computes, in words.</param>
/// <param name="TotalParameters">All weights.</param>
/// <param name="ActiveParameters">The weights that one token passes.</param>
/// <param name="TrainTokens">Tokens of the training text.</param>
/// <param name="ValidationTokens">Tokens of the held-out text.</param>
/// <param name="Vocabulary">Symbols of the tokenizer.</param>
/// <param name="FirstStep">The first step to come: 1, or later in a resumed run.</param>
/// <param name="Steps">The last step.</param>
/// <param name="Notes">What a person should know of the configuration (<see cref="Configuration.ConfigNotes"/>); null or empty: nothing.</param>
public sealed record TrainingStart(
    string Device, long TotalParameters, long ActiveParameters, int TrainTokens, int ValidationTokens, int Vocabulary, int FirstStep, int Steps,
    IReadOnlyList<NoteReport>? Notes = null);

/// <summary>One training step.</summary>
/// <param name="Step">The step, from 1.</param>
/// <param name="Loss">Mean cross-entropy of the batch in nats a token, without the balance losses.</param>
/// <param name="Losses">All losses by name, unweighted: <c>cross_entropy</c>, each balance loss, and <c>total</c>, the weighted sum that is trained on.</param>
/// <param name="LearningRate">The learning rate of the step.</param>
/// <param name="GradientNorm">Norm of the whole gradient before it was clipped.</param>
/// <param name="TokensPerSecond">Speed of the step.</param>
/// <param name="Dropped">With a capacity factor: share of the choices that found their expert full, over all layers; else null.</param>
public sealed record StepReport(
    int Step, float Loss, IReadOnlyDictionary<string, float> Losses, float LearningRate, float GradientNorm, double TokensPerSecond, float? Dropped = null);

/// <summary>One evaluation on held-out text.</summary>
/// <param name="Step">The step after which it was made.</param>
/// <param name="Loss">Mean cross-entropy in nats a token.</param>
/// <param name="Perplexity">e to the loss.</param>
/// <param name="BitsPerByte">The loss in bits, per byte of the text: comparable between tokenizers.</param>
/// <param name="Causal">False for a model that looks at later tokens: the loss is not that of a language model.</param>
public sealed record EvalReport(int Step, double Loss, double Perplexity, double BitsPerByte, bool Causal = true);

/// <summary>How the router of one layer spread the tokens of an evaluation over its E experts. What a router has none of is null.</summary>
/// <param name="Step">The step after which it was measured.</param>
/// <param name="Layer">The layer, from 0.</param>
/// <param name="Load">(E), share of the layer's choices that went to each expert, before any was full; their sum is 1.</param>
/// <param name="Importance">(E), share of the layer's gates that each expert had; their sum is 1.</param>
/// <param name="Entropy">Mean entropy of a token's router probabilities, in nats; log E when the router is undecided.</param>
/// <param name="MaxViolation">(largest − mean)/mean of the experts' choices; 0 when balanced.</param>
/// <param name="Dead">Experts that no token chose.</param>
/// <param name="GateEntropy">Mean entropy of a token's gates divided by their sum, in nats; log K when they are equal.</param>
/// <param name="TopGate">Mean of a token's largest gate.</param>
/// <param name="Dropped">Share of the choices that no expert served, because it was full.</param>
/// <param name="LogitNorm">Mean Euclidean norm of a token's logits.</param>
/// <param name="LogSumExp">Mean log Σ exp of a token's logits.</param>
/// <param name="Changed">Share of the tokens whose top expert is another than in the evaluation before; null in the first.</param>
/// <param name="CoActivation">(E, E), share of tokens that chose both experts; on the diagonal, that chose the one. Null beyond <see cref="Moe.RoutingStatistics.MostExpertsTogether"/> experts.</param>
/// <param name="Domains">The load of each domain, the largest domain first; null where all text has one label.</param>
public sealed record RoutingReport(
    int Step, int Layer, float[] Load, float[] Importance, float? Entropy, float MaxViolation, int Dead,
    float GateEntropy = 0, float TopGate = 0, float Dropped = 0, float? LogitNorm = null, float? LogSumExp = null, float? Changed = null,
    float[][]? CoActivation = null, IReadOnlyList<DomainLoad>? Domains = null);

/// <summary>How one layer spread the tokens of one domain.</summary>
/// <param name="Label">The label of their text; of the rarest, "(3 more)".</param>
/// <param name="Share">Their share of the evaluation's tokens.</param>
/// <param name="Load">(E), share of their choices that went to each expert; their sum is 1.</param>
public sealed record DomainLoad(string Label, float Share, float[] Load);

/// <summary>What a person should know of a run.</summary>
/// <param name="Step">The step after which it holds; 0 from the start.</param>
/// <param name="Text">One line.</param>
public sealed record NoteReport(int Step, string Text);

/// <summary>A layer whose router goes wrong.</summary>
/// <param name="Step">The step of the evaluation that showed it.</param>
/// <param name="Layer">The layer, from 0.</param>
/// <param name="Text">The layer, what was seen and what to try, in one line.</param>
public sealed record WarningReport(int Step, int Layer, string Text);

/// <summary>What a run took of the machine's memory, beside what was predicted; of the process that made the steps.</summary>
/// <param name="Step">The last step it made.</param>
/// <param name="PeakResidentBytes">Most memory that the process had at a time: the runtime, the text and the model.</param>
/// <param name="PeakPoolBytes">Most of it that weights, gradients, moments, activations and scratch had rented.</param>
/// <param name="PredictedBytes">What <see cref="Nn.ModelSize.TrainingBytes"/> says of the configuration.</param>
public sealed record MemoryReport(int Step, long PeakResidentBytes, long PeakPoolBytes, long PredictedBytes);

/// <summary>Is told how training goes; called on the training thread, between steps.</summary>
public interface ITrainingListener
{
    /// <summary>Before the first step.</summary>
    void OnStart(TrainingStart start);

    /// <summary>After every step.</summary>
    void OnStep(StepReport r);

    /// <summary>After an evaluation; <paramref name="best"/>: it is the best of the run so far.</summary>
    void OnEvaluation(EvalReport eval, IReadOnlyList<RoutingReport> routing, bool best);

    /// <summary>After an evaluation, for each layer whose router goes wrong.</summary>
    void OnWarning(WarningReport warning)
    {
    }

    /// <summary>After a checkpoint was written.</summary>
    void OnCheckpoint(int step, string path);
}
