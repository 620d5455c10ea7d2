using TinyMoE.Configuration;
using TinyMoE.Layers;
using TinyMoE.Tensors;

namespace TinyMoE.Attention;

/// <summary>Attention by heads with one matrix for the values and one for the outputs.</summary>
internal sealed class FullAttention : HeadAttention
{
    private readonly Linear value;
    private readonly Linear output;

    public FullAttention(ParameterStore store, string name, ModelConfig model, AttentionConfig attention, int layer, RotaryTable? rotary)
        : base(store, name, model, attention, layer, rotary)
    {
        WeightInit init = new(model);
        int C = model.Width, queryWidth = attention.QueryWidth(C);
        value = new Linear(store, $"{name}.value", ModelPart.Attention, C, attention.KeyWidth(C), init.Matrix(C), attention.Biases);
        output = new Linear(
            store, $"{name}.output", ModelPart.Attention, queryWidth, C, init.Residual(queryWidth), attention.HasOutputBias(model));
    }

    public override bool ReadsState => HasHeadsOfAStep;

    protected override Linear ValueMap => value;

    protected override Tensor Values(Tensor x, Pass pass) => value.Forward(x);

    protected override Tensor Outputs(Tensor y, Tensor x, Pass pass) => output.Forward(y.Reshape((x.Shape[0], y.Count / x.Shape[0])));
}
