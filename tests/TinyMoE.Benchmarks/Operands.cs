using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Benchmarks;

/// <summary>What kernels are called with: device memory that is given back together.</summary>
internal sealed class Operands(Backend backend) : IDisposable
{
    private readonly List<DeviceBuffer> buffers = [];

    /// <summary>Uniform in [−0.5, 0.5), the same for the same length.</summary>
    public Floats Random(int length)
    {
        Random random = new(length);
        return Values([.. Enumerable.Range(0, length).Select(_ => random.NextSingle() - 0.5f)]);
    }

    public Floats Values(float[] values)
    {
        Floats view = Rent(values.Length * sizeof(float)).As<float>(values.Length);
        backend.Write<float>(values, view);
        return view;
    }

    public Ints Indices(int[] values)
    {
        Ints view = Rent(values.Length * sizeof(int)).As<int>(values.Length);
        backend.Write<int>(values, view);
        return view;
    }

    public void Dispose()
    {
        foreach (DeviceBuffer buffer in buffers)
            backend.Pool.Return(buffer);
        buffers.Clear();
    }

    private DeviceBuffer Rent(long bytes)
    {
        DeviceBuffer buffer = backend.Pool.Rent(bytes);
        buffers.Add(buffer);
        return buffer;
    }
}
