using System.Runtime.InteropServices;
using TinyMoE.Layers;
using TinyMoE.Memory;

namespace TinyMoE.Benchmarks;

/// <summary>
/// Weights of a model that is as large as one likes, in memory in place of a file: small values in an element type, read where they lie.
/// </summary>
internal sealed unsafe class DrawnWeights(ElementType type) : IWeightSource, IDisposable
{
    private readonly Dictionary<string, nint> places = [];

    public ElementType TypeOf(Parameter parameter) => type;

    public nint AddressOf(Parameter parameter)
    {
        if (places.TryGetValue(parameter.Name, out nint known))
            return known;
        nint place = (nint)NativeMemory.AlignedAlloc((nuint)type.BytesOf(parameter.Count), 4096);
        places.Add(parameter.Name, place);
        Parallel.For(0, 16, part =>
        {
            int each = (parameter.Count + 15) / 16, end = Math.Min(parameter.Count, (part + 1) * each);
            for (int i = part * each; i < end; i++)
            {
                float value = ((i * 31 + part) % 255 - 127) * 2e-4f;
                if (type == ElementType.Float32)
                    ((float*)place)[i] = value;
                else
                    ((ushort*)place)[i] = type == ElementType.Float16 ? Float16.Narrow(value) : Bfloat16.Narrow(value);
            }
        });
        return place;
    }

    public void Read(Parameter parameter, int first, Span<float> values)
    {
        nint place = AddressOf(parameter);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = type == ElementType.Float32 ? ((float*)place)[first + i]
                : type == ElementType.Float16 ? Float16.Widen(((ushort*)place)[first + i])
                : Bfloat16.Widen(((ushort*)place)[first + i]);
        }
    }

    public void Read(Parameter parameter, int first, Span<ushort> values) =>
        new ReadOnlySpan<ushort>((ushort*)AddressOf(parameter) + first, values.Length).CopyTo(values);

    public void Read(StateTensor state, Span<float> values) => values.Clear();

    public void Dispose()
    {
        foreach (nint place in places.Values)
            NativeMemory.AlignedFree((void*)place);
    }
}
