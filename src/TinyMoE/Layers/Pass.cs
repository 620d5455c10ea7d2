using TinyMoE.Backends;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Layers;

/// <summary>What a forward pass is for: training draws noise and dropout, and computes balance losses; anything else does not.</summary>
/// <param name="Training">Whether this pass trains.</param>
/// <param name="Seed">The run's seed.</param>
/// <param name="Step">The training step, from 1.</param>
/// <param name="Part">Which micro-batch of the step.</param>
public sealed record Pass(bool Training, ulong Seed = 0, int Step = 0, int Part = 0)
{
    /// <summary>No noise, no dropout, no balance losses.</summary>
    public static Pass Inference { get; } = new(Training: false);

    /// <summary>Where the device has the step (1), for a pass that is recorded and done again in other steps; empty: nowhere.</summary>
    public Ints StepPlace { get; init; }

    /// <summary>What routers do otherwise than they would; null: nothing. Not in training.</summary>
    public Interventions? Interventions { get; init; }

    /// <summary>The experts that the router of a layer may choose; null: all.</summary>
    internal ExpertMask? MaskOf(int layer) => Interventions is null ? null
        : !Training ? Interventions.Of(layer)
        : throw new InvalidOperationException("A pass that trains has no interventions.");

    /// <summary>The router's normal draws (T·E) by layer, given instead of drawn: for tests against other implementations.</summary>
    internal IReadOnlyDictionary<int, float[]>? FrozenRouterNoise { get; init; }

    /// <summary>Is told what is computed on the way; null: nobody is, and it costs nothing.</summary>
    internal IForwardObserver? Observer { get; init; }

    /// <summary>Standard normal draws like the logits, a constant.</summary>
    internal Tensor RouterNoise(Tensor logits, int layer) => FrozenRouterNoise is { } frozen
        ? logits.Tape.Constant(logits.Shape, frozen[layer])
        : logits.Tape.Normal(logits.Shape, Key(RandomPurpose.RouterNoise, layer));

    /// <summary>The stream of random numbers for a purpose in a layer.</summary>
    public RandomKey Key(RandomPurpose purpose, int layer) => new(Seed, purpose, Step, layer, Part) { StepPlace = StepPlace };

    /// <summary>Dropout at <paramref name="rate"/> in training, none otherwise.</summary>
    public Dropout Dropout(float rate, RandomPurpose purpose, int layer) =>
        Training && rate > 0f ? new Dropout(rate, Key(purpose, layer)) : Backends.Dropout.None;
}
