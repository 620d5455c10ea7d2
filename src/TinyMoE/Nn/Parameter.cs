using TinyMoE.Tensors;

namespace TinyMoE.Nn;

/// <summary>A trained tensor: a named view into the <see cref="ParameterStore"/>'s flat blocks of weights and gradients.</summary>
public sealed class Parameter : Tensor
{
    internal Parameter(string name, Shape shape, Initializer initializer, bool decays)
        : base(tape: null, shape, default, wantsGrad: true)
    {
        (Name, Initializer, Decays) = (name, initializer, decays);
    }

    /// <summary>
    /// The name in a checkpoint. Where it has <c>{expert}</c> the leading dimension is the experts', and each one is a tensor of its own
    /// in the file, as Hugging Face keeps Mixtral's.
    /// </summary>
    public string Name { get; }

    /// <summary>How it begins.</summary>
    public Initializer Initializer { get; }

    /// <summary>Whether weight decay acts on it: matrices yes, vectors no.</summary>
    public bool Decays { get; }

    /// <summary>Where it begins in the flat blocks (elements).</summary>
    internal int Offset { get; private set; }

    internal void Place(int offset, Floats weights, Floats gradients)
    {
        Offset = offset;
        Bind(weights.Slice(offset, Count), gradients.Slice(offset, Count));
    }

    internal void ZeroGrad() => ForgetGrad();

    /// <summary>The tensors this parameter is in a file: names, shapes, and where each begins in it (elements).</summary>
    internal IEnumerable<(string Name, Shape Shape, int Start)> FileTensors()
    {
        const string Expert = "{expert}";
        if (!Name.Contains(Expert, StringComparison.Ordinal))
        {
            yield return (Name, Shape, 0);
            yield break;
        }

        Shape one = Shape.Of(Shape.ToArray().AsSpan(1));
        for (int e = 0; e < Shape[0]; e++)
            yield return (Name.Replace(Expert, $"{e}", StringComparison.Ordinal), one, e * one.Count);
    }
}
