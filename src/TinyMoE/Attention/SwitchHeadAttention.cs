using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Tensors;

namespace TinyMoE.Attention;

/// <summary>Attention by heads with experts for values and outputs in every head (SwitchHead, Csordás et al. 2023).</summary>
internal sealed class SwitchHeadAttention : HeadAttention
{
    private readonly HeadExperts values;
    private readonly HeadExperts outputs;

    public SwitchHeadAttention(
        ParameterStore store, string name, ModelConfig model, AttentionConfig attention, int layer, RotaryTable? rotary)
        : base(store, name, model, attention, layer, rotary)
    {
        values = HeadExperts.OfValues(store, name, model, attention, layer);
        outputs = HeadExperts.OfOutputs(store, name, model, attention, layer);
    }

    protected override Tensor Values(Tensor x, Pass pass) => values.Values(x, pass);

    protected override Tensor Outputs(Tensor y, Tensor x, Pass pass) => outputs.Outputs(y, x, pass);
}
