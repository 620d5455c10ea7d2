using TinyMoE.Memory;

namespace TinyMoE.Backends;

// Between host and device, and copies on it.
public abstract partial class Backend
{
    /// <summary>Whether kernels read the host's memory as it is, so that weights can stay where a file is mapped.</summary>
    public abstract bool ReadsHostMemory { get; }

    /// <summary>Host to device.</summary>
    public abstract void Write<T>(ReadOnlySpan<T> source, View<T> destination) where T : unmanaged;

    /// <summary>Device to host; waits for the device.</summary>
    public abstract void Read<T>(View<T> source, Span<T> destination) where T : unmanaged;

    /// <summary>Device to a new host array; waits for the device.</summary>
    public T[] Read<T>(View<T> source) where T : unmanaged
    {
        T[] values = new T[source.Length];
        Read(source, values);
        return values;
    }

    /// <summary>Values of any type to a new host array, in float32; waits for the device.</summary>
    internal float[] ReadWide(Values source)
    {
        if (source.Type == ElementType.Float32)
            return Read(source.Float32);
        float[] values = new float[source.Length];
        Bfloat16.Widen(Read(source.Bfloat16), values);
        return values;
    }

    /// <summary>Values in float32 to the device, in the type that they have there.</summary>
    internal void WriteNarrow(ReadOnlySpan<float> source, Values destination)
    {
        if (destination.Type == ElementType.Float32)
        {
            Write(source, destination.Float32);
            return;
        }

        ushort[] narrow = new ushort[source.Length];
        Bfloat16.Narrow(source, narrow);
        Write<ushort>(narrow, destination.Bfloat16);
    }

    /// <summary>The offsets of a plan that <see cref="Assign"/> or <see cref="RouteForward"/> made, to the
    /// host; waits for that kernel only, and not again for the same plan. offsets, destination (E+1).</summary>
    public abstract void ReadCounts(Ints offsets, Span<int> destination);

    /// <summary>The device's own clock; null where calls are done when they return, and any clock will do.</summary>
    public abstract IDeviceClock? Clock { get; }

    /// <summary>Waits until the device has done all that it was asked for.</summary>
    public abstract void Synchronize();

    /// <summary>y = value.</summary>
    public abstract void Fill(Values y, float value);

    /// <summary>A block of columns: y[n, yStart + c] = x[n, xStart + c]. x (N,
    /// xWidth), y (N, yWidth), c &lt; C. Backs slices and concatenation.</summary>
    public abstract void CopyColumns(Values x, int xWidth, int xStart, int N, int C, int yWidth, int yStart, Target y);

    /// <summary>A block of columns that <paramref name="times"/> rows share: y[n·times + i, yStart + c] = x[n, c], i &lt; times.
    /// x (N, C), y (N·times, yWidth).</summary>
    public abstract void RepeatRows(Values x, int N, int C, int times, int yWidth, int yStart, Target y);

    /// <summary>The backward of <see cref="RepeatRows"/>: y[n, c] = Σ_i x[n·times + i, xStart + c].
    /// x (N·times, xWidth), y (N, C).</summary>
    public abstract void SumRepeatedRows(Values x, int xWidth, int xStart, int N, int C, int times, Target y);
}
