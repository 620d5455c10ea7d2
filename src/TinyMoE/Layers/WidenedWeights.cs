using TinyMoE.Memory;

namespace TinyMoE.Layers;

/// <summary>
/// The values of another source in float32, none of them read where it lies: for a training, whose frozen weights are then the same
/// whether it begins with the source or goes on from a checkpoint of its own.
/// </summary>
internal sealed class WidenedWeights(IWeightSource source) : IWeightSource
{
    /// <inheritdoc/>
    public ElementType TypeOf(Parameter parameter)
    {
        _ = source.TypeOf(parameter); // which says what is missing
        return ElementType.Float32;
    }

    /// <inheritdoc/>
    public nint AddressOf(Parameter parameter) => 0;

    /// <inheritdoc/>
    public void Read(Parameter parameter, int first, Span<float> values) => source.Read(parameter, first, values);

    /// <inheritdoc/>
    public void Read(Parameter parameter, int first, Span<ushort> values) => source.Read(parameter, first, values);

    /// <inheritdoc/>
    public void Read(StateTensor state, Span<float> values) => source.Read(state, values);
}
