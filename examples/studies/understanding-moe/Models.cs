using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Memory;
using TinyMoE.Moe;
using TinyMoE.Ops;
using TinyMoE.Optim;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Examples.UnderstandingMoe;

/// <summary>
/// E convolutional networks of two layers (Chen et al. 2022, section 3.2): 2·M filters look at each patch, M per class; a class's output is
/// the sum of its filters' responses over patches, f_class = Σ_patch Σ_m σ(w·x_patch + b) with σ(z) = z³, or z for linear networks.
/// The second layer is fixed.
/// </summary>
internal sealed class PatchNetworks(ParameterStore store, int count, int filters, int patch, bool cubic, float initialScale)
{
    public const int Classes = 2;

    public Parameter Weight { get; } = store.Add("weight", (count, Classes * filters, patch), Initial(patch, initialScale));

    public Parameter Bias { get; } = store.Add("bias", (count, Classes * filters), Initial(patch, initialScale));

    /// <summary>
    /// x (N, Patches·patch), those of network e before those of e+1; patchOffsets (E+1) counts in patches; result (N, Classes).
    /// </summary>
    public Tensor Forward(Tensor x, Ints patchOffsets)
    {
        int N = x.Shape[0], rows = N * Dataset.Patches;
        Tensor z = x.Reshape((rows, patch)).GroupedLinear(Weight, patchOffsets, Bias);  // (N·Patches, Classes·M)
        Tensor responses = cubic ? z.Square().Multiply(z) : z;                          // (N·Patches, Classes·M)
        Tensor perPatch = responses.Reshape((rows * Classes, filters)).SumColumns();    // (N·Patches·Classes, 1)
        Tensor sum = x.Tape.Constant((Classes, Dataset.Patches * Classes), SumOverPatches);
        return perPatch.Reshape((N, Dataset.Patches * Classes)).Linear(sum);            // (N, Classes)
    }

    private static float[] SumOverPatches { get; } =
        [.. Enumerable.Range(0, Classes * Dataset.Patches * Classes).Select(i => i / (Dataset.Patches * Classes) == i % Classes ? 1f : 0f)];

    /// <summary>As wide as numbers uniform within ±1/√patch.</summary>
    private static Initializer Initial(int patch, float scale) => Initializer.Normal(scale / MathF.Sqrt(3f * patch));
}

/// <summary>What learns to tell the classes apart.</summary>
internal interface IClassifier : IDisposable
{
    /// <summary>One step on all examples; the loss before it. Steps count from 1.</summary>
    float Step(Dataset data, int step);

    /// <summary>Without noise: the class of each example, and the expert that decided it (0 where there is but one).</summary>
    (int[] Classes, int[] Experts) Predict(Dataset data);
}

/// <summary>One network, trained by Adam.</summary>
internal sealed class SingleModel : IClassifier
{
    private readonly Backend backend;
    private readonly SingleSetting setting;
    private readonly float rate;
    private readonly ParameterStore parameters;
    private readonly PatchNetworks network;
    private readonly AdamW adam;

    public SingleModel(Backend backend, SingleSetting setting, int patch, bool cubic, int seed)
    {
        (this.backend, this.setting, rate) = (backend, setting, cubic ? setting.NonlinearRate : setting.LinearRate);
        parameters = new ParameterStore(backend);
        network = new PatchNetworks(parameters, count: 1, setting.Filters, patch, cubic, initialScale: 1f);
        parameters.Allocate((ulong)seed);
        adam = new AdamW(parameters, new TrainConfig { WeightDecay = 0f, Clip = 0f, Beta1 = 0.9f, Beta2 = 0.999f });
    }

    public float Step(Dataset data, int step)
    {
        using Tape tape = backend.NewTape();
        Tensor loss = Forward(tape, data).CrossEntropy(tape.Ints(data.Classes));       // (1)
        float value = loss.Item();
        parameters.ZeroGrad();
        tape.Backward(loss);
        // AdamW's own decay passes the moments by; here, as in the published experiment, it is a part of the gradient
        Floats weights = parameters.Weights.All;
        backend.Affine(weights, setting.WeightDecay, 0f, weights.Length, new Target(parameters.Gradients.All, Adds: true));
        adam.Step(step, rate);
        return value;
    }

    public (int[] Classes, int[] Experts) Predict(Dataset data)
    {
        using Tape tape = backend.NewTape(recording: false);
        return (backend.Read(Forward(tape, data).TopK(1)), new int[data.Count]);
    }

    public void Dispose() => parameters.Dispose();

    private Tensor Forward(Tape tape, Dataset data) =>
        network.Forward(tape.Constant((data.Count, data.Width), data.Values), tape.Ints([0, data.Count * Dataset.Patches]));
}

/// <summary>
/// A mixture: a linear router sends each example to the expert of its largest logit; the gate is that logit itself. The router learns by
/// plain gradient descent, each expert by gradient descent of normalised length (section 3.3).
/// </summary>
internal sealed class MixtureModel : IClassifier
{
    private readonly Backend backend;
    private readonly MixtureSetting setting;
    private readonly int seed;
    private readonly ParameterStore parameters;
    private readonly PatchNetworks experts;
    private readonly Parameter router;

    public MixtureModel(Backend backend, MixtureSetting setting, int patch, bool cubic, int seed)
    {
        (this.backend, this.setting, this.seed) = (backend, setting, seed);
        parameters = new ParameterStore(backend);
        experts = new PatchNetworks(parameters, setting.Experts, setting.Filters, patch, cubic, setting.InitialScale);
        router = parameters.Add("router", (setting.Experts, patch), Initializer.Zeros);
        parameters.Allocate((ulong)seed);
    }

    public float Step(Dataset data, int step)
    {
        using Tape tape = backend.NewTape();
        (Tensor y, _) = Forward(tape, data, noiseOfStep: step);
        // the published experiment gives the cross-entropy probabilities for logits: the loss cannot fall below ln(1 + 1/e) = 0.3133,
        // and no example ever pulls hard
        Tensor loss = y.Softmax().CrossEntropy(tape.Ints(data.Classes));                // (1)
        float value = loss.Item();
        parameters.ZeroGrad();
        tape.Backward(loss);
        parameters.RequireGradients();

        Descend(router.Grad, router.Data, setting.RouterRate);
        for (int e = 0; e < setting.Experts; e++)
        {
            (Floats gradient, Floats weight) = (Of(e, experts.Weight.Grad), Of(e, experts.Weight.Data));
            (Floats biasGradient, Floats bias) = (Of(e, experts.Bias.Grad), Of(e, experts.Bias.Data));
            float length = Norm(tape, gradient) + Norm(tape, biasGradient);
            if (length > 0f) // an expert that no example chose has no gradient
            {
                Descend(gradient, weight, setting.ExpertRate / length);
                Descend(biasGradient, bias, setting.ExpertRate / length);
            }
        }

        return value;
    }

    public (int[] Classes, int[] Experts) Predict(Dataset data)
    {
        using Tape tape = backend.NewTape(recording: false);
        (Tensor y, Ints choices) = Forward(tape, data, noiseOfStep: null);
        return (backend.Read(y.TopK(1)), backend.Read(choices));
    }

    public void Dispose() => parameters.Dispose();

    private (Tensor Y, Ints Choices) Forward(Tape tape, Dataset data, int? noiseOfStep)
    {
        int N = data.Count, E = setting.Experts;
        Tensor x = tape.Constant((N, data.Width), data.Values);
        Tensor logits = tape.Constant((N, data.Width / Dataset.Patches), data.Sums).Linear(router); // (N, E)
        if (noiseOfStep is int step)
            logits = logits.Add(tape.Uniform((N, E), new RandomKey((ulong)seed, RandomPurpose.RouterNoise, step)).Scale(setting.Noise));

        Ints choices = logits.TopK(1);                                                  // (N)
        Assignment assignment = Assignment.FromChoices(choices, logits.SelectColumns(choices, 1), E);
        Tensor rows = assignment.Dispatch(x);                                           // (N, Patches·patch) in expert order
        Ints patchOffsets = tape.Ints([.. backend.Read(assignment.Offsets).Select(offset => offset * Dataset.Patches)]);
        return (assignment.Combine(experts.Forward(rows, patchOffsets)), choices);      // (N, Classes)
    }

    private Floats Of(int expert, Floats all) => all.Slice(expert * (all.Length / setting.Experts), all.Length / setting.Experts);

    private float Norm(Tape tape, Floats x)
    {
        Tensor norm = tape.Constant(1);
        backend.Norm(x, x.Length, norm.Data);
        return norm.Item();
    }

    private void Descend(Floats gradient, Floats weights, float rate) =>
        backend.Affine(gradient, -rate, 0f, weights.Length, new Target(weights, Adds: true));
}
