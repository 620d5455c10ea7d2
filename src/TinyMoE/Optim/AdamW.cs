using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Layers;

namespace TinyMoE.Optim;

/// <summary>AdamW (Loshchilov and Hutter 2019): decoupled weight decay, on matrices only; one global gradient clip.</summary>
public sealed class AdamW
{
    private readonly ParameterStore parameters;
    private readonly TrainConfig config;

    /// <summary>Moments of zero for every weight.</summary>
    public AdamW(ParameterStore parameters, TrainConfig config)
    {
        (this.parameters, this.config) = (parameters, config);
        FirstMoments = parameters.NewBlock();
        SecondMoments = parameters.NewBlock();
        GradientNorm = parameters.NewBlock(1);
    }

    /// <summary>Running mean of the gradient, laid out as the weights.</summary>
    public Floats FirstMoments { get; }

    /// <summary>Running mean of the squared gradient, laid out as the weights.</summary>
    public Floats SecondMoments { get; }

    /// <summary>The norm of the whole gradient at the last step, before it was clipped (1).</summary>
    public Floats GradientNorm { get; }

    /// <summary>
    /// Updates the weights. <paramref name="step"/> counts from 1; a gradient longer than <see cref="TrainConfig.Clip"/> is shortened to it, and one that is not finite changes nothing.
    /// </summary>
    public void Step(int step, float learningRate)
    {
        parameters.Backend.Norm(parameters.Gradients, parameters.Gradients.Length, GradientNorm);
        int bfloat16 = parameters.Bfloat16Length, decaying = parameters.DecayingLength, all = parameters.Weights.Length;
        Update(0, bfloat16, config.WeightDecay, parameters.Bfloat16Weights);
        Update(bfloat16, decaying - bfloat16, config.WeightDecay);
        Update(decaying, all - decaying, decay: 0f);

        void Update(int start, int length, float decay, Bfloat16s copy = default)
        {
            if (length == 0)
                return;
            AdamWStep numbers = new(step, learningRate, config.Beta1, config.Beta2, config.Epsilon, decay, config.Clip);
            parameters.Backend.AdamW(
                parameters.Gradients.Slice(start, length), GradientNorm, numbers, length,
                parameters.Weights.Slice(start, length), FirstMoments.Slice(start, length), SecondMoments.Slice(start, length), copy);
        }
    }
}
