using TinyMoE.Layers;
using TinyMoE.Tensors;

namespace TinyMoE.Inspect;

/// <summary>Keeps of a forward pass what the experts of each layer gave, as long as its tape.</summary>
internal sealed class KeptRows : IForwardObserver
{
    /// <summary>The rows (rows, C) of each mixture, in the order of the layers.</summary>
    public List<Tensor> Rows { get; } = [];

    /// <inheritdoc/>
    public void OnExpertRows(int layer, Tensor rows) => Rows.Add(rows);

    /// <inheritdoc/>
    public void OnHeadExperts(int layer, bool ofOutputs, Ints choices, Tensor gates)
    {
    }
}
