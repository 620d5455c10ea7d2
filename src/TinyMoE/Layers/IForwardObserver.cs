using TinyMoE.Tensors;

namespace TinyMoE.Layers;

/// <summary>
/// Is told what a forward pass computes on its way and does not give back (<see cref="Pass.Observer"/>). It reads within the call what it
/// needs, since later ops may take the memory over.
/// </summary>
internal interface IForwardObserver
{
    /// <summary>What the experts of a layer computed, before the gates. rows (rows, C), in the order of the Assignment.</summary>
    void OnExpertRows(int layer, Tensor rows);

    /// <summary>
    /// Which experts the heads of an attention layer chose for their values, or <paramref name="ofOutputs"/>: expert e of head h is
    /// h·E + e. choices, gates (N, H·K).
    /// </summary>
    void OnHeadExperts(int layer, bool ofOutputs, Ints choices, Tensor gates);
}
