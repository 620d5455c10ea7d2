using TinyMoE.Memory;

namespace TinyMoE.Configuration;

/// <summary>How the learning rate moves after the warm-up.</summary>
public enum ScheduleKind
{
    /// <summary>The rate stays after the warm-up.</summary>
    Constant,

    /// <summary>Half a cosine down to the minimum at the last step.</summary>
    Cosine,

    /// <summary>
    /// Warm-up, stable, decay: the rate stays, then falls to the minimum over the
    /// last <see cref="TrainConfig.DecayShare"/> of the steps as 1 − √.
    /// </summary>
    Wsd,
}

/// <summary>
/// What a run computes in. Master weights, moments, sums, statistics of norms, routers, softmax and the loss are float32 in each.
/// </summary>
public enum TrainPrecision
{
    /// <summary>Float32 all the way.</summary>
    Float32,

    /// <summary>Float32 in memory; products round what they read to TF32, 10 bits of mantissa. On a card of NVIDIA's only.</summary>
    Tf32,

    /// <summary>Activations, their gradients, and what products read of weights are in bfloat16, 16 bits of memory.</summary>
    Bfloat16,
}

/// <summary>Batches, schedule, optimiser, evaluation. Keys <c>train.*</c>.</summary>
public sealed record TrainConfig
{
    /// <summary>Windows of text per step, B.</summary>
    public int Batch { get; init; } = 16;

    /// <summary>Parts a step's batch is computed in, one after another, with the gradients added; divides the batch.</summary>
    public int Accumulation { get; init; } = 1;

    /// <summary>Steps, each one update of the weights.</summary>
    public int Steps { get; init; } = 1000;

    /// <summary>Steps over which the schedule runs; after them the learning rate stays as it is at their end. 0: as train.steps.</summary>
    public int ScheduleSteps { get; init; }

    /// <summary>
    /// What the model computes in, after training too: float32, tf32 (on a card, as --tensor-cores tf32), or bfloat16, with activations and
    /// a copy of the weights in 16 bits of memory, and float32 weights, moments, sums, routers and losses.
    /// </summary>
    public TrainPrecision Precision { get; init; }

    /// <summary>Largest learning rate.</summary>
    public float LearningRate { get; init; } = 1e-3f;

    /// <summary>Learning rate at the end of a decaying schedule.</summary>
    public float MinLearningRate { get; init; } = 1e-4f;

    /// <summary>How the learning rate moves after the warm-up.</summary>
    public ScheduleKind Schedule { get; init; } = ScheduleKind.Cosine;

    /// <summary>Steps over which the learning rate rises from zero.</summary>
    public int Warmup { get; init; } = 100;

    /// <summary>Share of the steps in which the wsd schedule decays.</summary>
    public float DecayShare { get; init; } = 0.2f;

    /// <summary>AdamW's decoupled decay of matrices; vectors (norms, biases) never decay.</summary>
    public float WeightDecay { get; init; } = 0.1f;

    /// <summary>AdamW's β₁.</summary>
    public float Beta1 { get; init; } = 0.9f;

    /// <summary>AdamW's β₂.</summary>
    public float Beta2 { get; init; } = 0.99f;

    /// <summary>AdamW's ε.</summary>
    public float Epsilon { get; init; } = 1e-8f;

    /// <summary>Largest norm of the whole gradient; 0: no clip.</summary>
    public float Clip { get; init; } = 1f;

    /// <summary>Seed of every random number of the run.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Steps between evaluations; one more comes at the end.</summary>
    public int EvalEvery { get; init; } = 250;

    /// <summary>Validation windows that an evaluation reads, evenly spread; 0: all.</summary>
    public int EvalWindows { get; init; } = 64;

    /// <summary>Steps between checkpoints; 0: at evaluations.</summary>
    public int CheckpointEvery { get; init; }

    /// <summary>Steps between checkpoints that stay, each in a folder of its own, as step-400; 0: none stays.</summary>
    public int KeepEvery { get; init; }

    /// <summary>
    /// What trains, the rest keeps its values: parts of the model (embedding, attention, attention-experts, router, experts,
    /// shared-experts, feed-forward, norms, head), layers (layers.8-), names with *, with commas between and ! before what is taken away;
    /// all; st-moe: all but experts and routers; flan-moe: all but routers.
    /// </summary>
    public string Trainable { get; init; } = "all";

    /// <summary>How activations are kept.</summary>
    internal ElementType ActivationType => Precision == TrainPrecision.Bfloat16 ? ElementType.Bfloat16 : ElementType.Float32;

    /// <summary>Steps of the schedule with the default resolved.</summary>
    internal int ScheduleStepsOrAll => ScheduleSteps == 0 ? Steps : ScheduleSteps;
}
