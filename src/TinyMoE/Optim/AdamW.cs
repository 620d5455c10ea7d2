using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Memory;

namespace TinyMoE.Optim;

/// <summary>
/// AdamW (Loshchilov and Hutter 2019): decoupled weight decay, on matrices only; one global gradient clip. What is frozen has no part in
/// it.
/// </summary>
public sealed class AdamW
{
    /// <summary>How many <see cref="Factors"/> there are: three of the weights that decay, three of the others.</summary>
    internal const int FactorsLength = 6;

    private readonly ParameterStore parameters;
    private readonly TrainConfig config;
    private readonly Floats chunkNorms; // norms of the chunks, where the gradient is longer than one

    /// <summary>Moments of zero for every weight that trains.</summary>
    public AdamW(ParameterStore parameters, TrainConfig config)
    {
        if (parameters.Weights.IsNone)
            throw new InvalidOperationException("There is nothing to train: every parameter is frozen.");
        (this.parameters, this.config) = (parameters, config);
        FirstMoments = parameters.NewBlock();
        SecondMoments = parameters.NewBlock();
        GradientNorm = parameters.NewVector(1);
        int chunks = parameters.Chunks(0, parameters.Gradients.Length).Count();
        chunkNorms = chunks > 1 ? parameters.NewVector(chunks) : default;
    }

    /// <summary>Running mean of the gradient, laid out as the weights.</summary>
    public FlatBlock<float> FirstMoments { get; }

    /// <summary>Running mean of the squared gradient, laid out as the weights.</summary>
    public FlatBlock<float> SecondMoments { get; }

    /// <summary>The norm of the whole gradient at the last step, before it was clipped (1).</summary>
    public Floats GradientNorm { get; }

    /// <summary>
    /// Updates the weights. <paramref name="step"/> counts from 1; a gradient longer than
    /// <see cref="TrainConfig.Clip"/> is shortened to it, and one that is not finite changes nothing.
    /// </summary>
    public void Step(int step, float learningRate) => Step(step, learningRate, factors: default);

    /// <summary>
    /// The same with the <see cref="Factors"/> of the step in device memory, for updates that are recorded and done again in other steps.
    /// </summary>
    internal void Step(int step, float learningRate, Floats factors)
    {
        ComputeNorm();
        long bfloat16 = parameters.Bfloat16Length, decaying = parameters.DecayingLength, all = parameters.Weights.Length;
        Floats ofDecaying = factors.IsNone ? default : factors.Slice(0, 3), ofOthers = factors.IsNone ? default : factors.Slice(3, 3);
        AdamWStep decays = Numbers(step, learningRate, config.WeightDecay) with { FactorsPlace = ofDecaying };
        AdamWStep stays = Numbers(step, learningRate, decay: 0f) with { FactorsPlace = ofOthers };
        Update(0, bfloat16, decays, parameters.Bfloat16Weights);
        Update(bfloat16, decaying, decays, default);
        Update(decaying, all, stays, default);

        void Update(long start, long end, in AdamWStep numbers, FlatBlock<ushort> copies)
        {
            foreach ((long first, int length) in parameters.Chunks(start, end))
            {
                parameters.Backend.AdamW(
                    parameters.Gradients.Slice(first, length), GradientNorm, numbers, length, parameters.Weights.Slice(first, length),
                    FirstMoments.Slice(first, length), SecondMoments.Slice(first, length), copies.Slice(first, length));
            }
        }
    }

    /// <summary>What a step multiplies by that no other does, in the order that <see cref="Step(int, float, Floats)"/> reads it.</summary>
    internal float[] Factors(int step, float learningRate)
    {
        (float rate, float root, float keep) = Numbers(step, learningRate, config.WeightDecay).Factors;
        return [rate, root, keep, rate, root, 1f];
    }

    private AdamWStep Numbers(int step, float learningRate, float decay) =>
        new(step, learningRate, config.Beta1, config.Beta2, config.Epsilon, decay, config.Clip);

    /// <summary>Of several chunks: the norm of their norms.</summary>
    private void ComputeNorm()
    {
        Backend backend = parameters.Backend;
        FlatBlock<float> gradients = parameters.Gradients;
        int chunk = 0;
        foreach ((long start, int length) in parameters.Chunks(0, gradients.Length))
            backend.Norm(gradients.Slice(start, length), length, chunkNorms.IsNone ? GradientNorm : chunkNorms.Slice(chunk++, 1));
        if (!chunkNorms.IsNone)
            backend.Norm(chunkNorms, chunk, GradientNorm);
    }
}
