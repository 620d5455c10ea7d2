namespace TinyMoE.RandomNumbers;

/// <summary>What a random number is for; two purposes never share a number.</summary>
public enum RandomPurpose
{
    /// <summary>Initial weights.</summary>
    Initialization = 1,

    /// <summary>The choice of the windows of text that make a batch.</summary>
    Batch = 2,

    /// <summary>Noise on router logits.</summary>
    RouterNoise = 3,

    /// <summary>Dropout of attention weights.</summary>
    AttentionDropout = 4,

    /// <summary>Dropout of a layer's attention output.</summary>
    AttentionOutputDropout = 5,

    /// <summary>Dropout of a layer's feed-forward output.</summary>
    FeedForwardDropout = 6,

    /// <summary>Choice of the next token in generation.</summary>
    Sampling = 7,

    /// <summary>Tests and examples.</summary>
    Other = 8,

    /// <summary>Jitter of a router's input.</summary>
    RouterJitter = 9,

    /// <summary>The experts that a token must do without.</summary>
    GateDropout = 10,

    /// <summary>Whether a second expert is kept.</summary>
    SecondExpert = 11,

    /// <summary>The order of choices at a full expert.</summary>
    DropOrder = 12,

    /// <summary>Experts of the random router.</summary>
    RandomRouting = 13,

    /// <summary>Dropout of hidden values of experts.</summary>
    ExpertDropout = 14,

    /// <summary>The experts of the values of attention that cannot be chosen.</summary>
    ValueGateDropout = 20,

    /// <summary>The experts of the outputs of attention that cannot be chosen.</summary>
    OutputGateDropout = 21,

    /// <summary>What is drawn anew where experts are made of a dense feed-forward.</summary>
    Upcycling = 22,
}

/// <summary>
/// Names one stream of random numbers: number i is a pure function of (key, i), the same on every device and for every number of threads.
/// <see cref="Part"/> p of a stream of n numbers begins at p·n, so that micro-batches draw what the whole batch would.
/// </summary>
/// <param name="Seed">The run's seed.</param>
/// <param name="Purpose">What the numbers are for.</param>
/// <param name="Step">The training step, or whatever counts repetitions.</param>
/// <param name="Layer">The layer, or whatever counts places; 0 to 65,535.</param>
/// <param name="Part">Which micro-batch of the step.</param>
public readonly record struct RandomKey(ulong Seed, RandomPurpose Purpose, int Step, int Layer = 0, int Part = 0)
{
    /// <summary>
    /// Where the device has the step (1), for work that is recorded and done again in other steps: it is read there, and
    /// <see cref="Step"/> is of no matter. Empty: the step goes with the call.
    /// </summary>
    public Ints StepPlace { get; init; }
}
