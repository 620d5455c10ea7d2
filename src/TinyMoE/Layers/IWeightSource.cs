using TinyMoE.Memory;

namespace TinyMoE.Layers;

/// <summary>
/// Where a model's values come from when they are not drawn: a file. It must live as long as a model that reads it in place.
/// </summary>
public interface IWeightSource
{
    /// <summary>How the source keeps the parameter.</summary>
    /// <exception cref="TinyMoEException">It has no such parameter, or one of another shape.</exception>
    ElementType TypeOf(Parameter parameter);

    /// <summary>
    /// The host address of all values of the parameter, in <see cref="TypeOf"/> and in its order, to be read in place for as long as the
    /// source lives; 0 where it has none.
    /// </summary>
    nint AddressOf(Parameter parameter);

    /// <summary>
    /// The host addresses of the matrices of a stack, each whole and in <see cref="TypeOf"/>, where they do not lie together; null where it
    /// has not one for each. They are read in place for as long as the source lives.
    /// </summary>
    nint[]? AddressesOf(Parameter parameter) => null;

    /// <summary>Whether the parameter has an address, or its matrices have; the values are not looked at.</summary>
    bool HasAddressOf(Parameter parameter) => false;

    /// <summary>
    /// Reads values of the parameter from element <paramref name="first"/> on, widened where the source keeps them in fewer bits.
    /// </summary>
    void Read(Parameter parameter, int first, Span<float> values);

    /// <summary>
    /// Reads values of a parameter that the source keeps in bfloat16 or float16 as they are, from element <paramref name="first"/> on.
    /// </summary>
    void Read(Parameter parameter, int first, Span<ushort> values);

    /// <summary>Reads what a model keeps but does not train.</summary>
    void Read(StateTensor state, Span<float> values);
}
