using System.Runtime.InteropServices;
using TinyMoE.Backends;
using TinyMoE.Memory;
using TinyMoE.Tensors;

namespace TinyMoE.Train;

/// <summary>What a step has to tell, losses and the gradient's norm: gathered on the device, so that the host waits for it once a step.</summary>
internal sealed class StepNumbers(Backend backend) : IDisposable
{
    private const int Capacity = 32;

    private readonly DeviceBuffer buffer = backend.Pool.Rent(Capacity * sizeof(float));
    private readonly List<string> names = [];
    private readonly float[] values = new float[Capacity];
    private readonly List<Floats> sources = []; // what waits to be gathered: from where, times what, to where
    private readonly List<float> scales = [];
    private readonly List<Target> places = [];

    /// <summary>Forgets the step before.</summary>
    public void Clear() => names.Clear();

    /// <summary>Adds scale·<paramref name="value"/> to the number of this name, at the next <see cref="Gather"/>; the first one stores it. value (1).</summary>
    public void Add(string name, Floats value, float scale = 1f)
    {
        int place = names.IndexOf(name);
        bool isNew = place < 0;
        if (isNew)
        {
            place = names.Count;
            names.Add(name);
        }

        sources.Add(value);
        scales.Add(scale);
        places.Add(new Target(buffer.As<float>(Capacity).Slice(place, 1), Adds: !isNew));
    }

    /// <summary>Adds scale·<paramref name="value"/> to the number of this name. value (1).</summary>
    public void Add(string name, Tensor value, float scale = 1f) => Add(name, value.Data, scale);

    /// <summary>Takes what was added from where it is, all in one pass: to be called before its memory goes.</summary>
    public void Gather()
    {
        backend.ScaleNumbers(CollectionsMarshal.AsSpan(sources), CollectionsMarshal.AsSpan(scales), CollectionsMarshal.AsSpan(places));
        sources.Clear();
        scales.Clear();
        places.Clear();
    }

    /// <summary>The numbers by name, in the order they came; waits for the device.</summary>
    public Dictionary<string, float> Read()
    {
        Gather();
        backend.Read(buffer.As<float>(names.Count), values.AsSpan(0, names.Count));
        Dictionary<string, float> numbers = new(names.Count);
        for (int i = 0; i < names.Count; i++)
            numbers.Add(names[i], values[i]);
        return numbers;
    }

    /// <summary>Gives the device's memory back.</summary>
    public void Dispose() => backend.Pool.Return(buffer);
}
