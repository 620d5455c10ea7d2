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
    public void Step(int step, float learningRate)
    {
        ComputeNorm();
        long bfloat16 = parameters.Bfloat16Length, decaying = parameters.DecayingLength, all = parameters.Weights.Length;
        Update(0, bfloat16, config.WeightDecay, parameters.Bfloat16Weights);
        Update(bfloat16, decaying, config.WeightDecay, default);
        Update(decaying, all, decay: 0f, default);

        void Update(long start, long end, float decay, FlatBlock<ushort> copies)
        {
            AdamWStep numbers = new(step, learningRate, config.Beta1, config.Beta2, config.Epsilon, decay, config.Clip);
            foreach ((long first, int length) in parameters.Chunks(start, end))
            {
                parameters.Backend.AdamW(
                    parameters.Gradients.Slice(first, length), GradientNorm, numbers, length, parameters.Weights.Slice(first, length),
                    FirstMoments.Slice(first, length), SecondMoments.Slice(first, length), copies.Slice(first, length));
            }
        }
    }

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
