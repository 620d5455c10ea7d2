using TinyMoE.Layers;
using TinyMoE.Memory;

namespace TinyMoE.Tests.Layers;

/// <summary>The values of a model in memory, by the names of its parameters.</summary>
internal sealed class StoredWeights(ParameterStore store) : IWeightSource
{
    public ElementType TypeOf(Parameter parameter) => ElementType.Float32;

    public nint AddressOf(Parameter parameter) => 0;

    public void Read(Parameter parameter, int first, Span<float> values) =>
        store.Read(store.All.Single(p => p.Name == parameter.Name), first, values);

    public void Read(Parameter parameter, int first, Span<ushort> values) => throw new NotSupportedException();

    public void Read(StateTensor state, Span<float> values) => values.Clear();
}
