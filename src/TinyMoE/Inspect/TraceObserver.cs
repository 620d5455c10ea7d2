using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Inspect;

/// <summary>Keeps of a forward pass the norms of the experts' outputs and the choices of attention's heads.</summary>
internal sealed class TraceObserver(AttentionConfig attention) : IForwardObserver
{
    private readonly Dictionary<int, float[]> norms = []; // by layer (rows)
    private readonly List<TraceHeads> heads = [];
    private float[] values = [];                             // (rows, C), of one layer after the other

    /// <summary>The choices of attention's heads, in the order of the layers.</summary>
    public IReadOnlyList<TraceHeads> Heads => [.. heads];

    /// <summary>The norms of what the experts of a layer computed, before the gates (rows).</summary>
    public float[] NormsOf(int layer) => norms[layer];

    /// <summary>Forgets what it has, before another pass.</summary>
    public void Clear()
    {
        norms.Clear();
        heads.Clear();
    }

    /// <inheritdoc/>
    public void OnExpertRows(int layer, Tensor rows)
    {
        if (values.Length < rows.Count)
            values = new float[rows.Count];
        rows.Tape.Backend.Read(rows.ToFloat32().Data, values.AsSpan(0, rows.Count));
        norms[layer] = TraceLogits.Norms(values.AsSpan(0, rows.Count), rows.Shape.Last);
    }

    /// <inheritdoc/>
    public void OnHeadExperts(int layer, bool ofOutputs, Ints choices, Tensor gates)
    {
        int[] chosen = gates.Tape.Backend.Read(choices);
        int H = gates.Shape.Last / attention.Active;
        for (int i = 0; i < chosen.Length; i++)
            chosen[i] %= attention.Experts;                      // expert h·E + e, in the place of head h
        heads.Add(new TraceHeads(layer, ofOutputs, H, attention.Active, attention.Experts)
        {
            Expert = chosen,
            Gate = gates.ToArray(),
        });
    }
}
