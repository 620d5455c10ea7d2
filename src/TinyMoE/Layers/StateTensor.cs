using TinyMoE.Tensors;

namespace TinyMoE.Layers;

/// <summary>
/// Values that a model keeps but does not train: a router's bias, its table. They have no gradient and no decay; a checkpoint has them
/// beside the weights.
/// </summary>
public sealed class StateTensor
{
    internal StateTensor(string name, Shape shape, Func<ulong, float[]>? initial, bool saved) =>
        (Name, Shape, Initial, IsSaved) = (name, shape, initial, saved);

    /// <summary>The name in the model, as of a parameter.</summary>
    public string Name { get; }

    /// <summary>The sizes.</summary>
    public Shape Shape { get; }

    /// <summary>The values; none before the store has been allocated.</summary>
    public Floats Data { get; internal set; }

    /// <summary>Whether a checkpoint keeps it: no for what is empty between steps.</summary>
    internal bool IsSaved { get; }

    /// <summary>The first values, from the run's seed; null: zeros.</summary>
    internal Func<ulong, float[]>? Initial { get; }

    /// <summary>The values as a constant on a tape.</summary>
    internal Tensor On(Tape tape) => tape.Borrow(Shape, Data);
}
