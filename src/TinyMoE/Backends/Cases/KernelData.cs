using System.Runtime.CompilerServices;
using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Backends.Cases;

/// <summary>Inputs and outputs of one kernel case on one device.</summary>
internal sealed class KernelData(Backend backend) : IDisposable
{
    private readonly List<DeviceBuffer> buffers = [];
    private readonly List<Floats> floats = [];
    private readonly List<Ints> ints = [];
    private readonly List<Bfloat16s> bfloat16s = [];
    private readonly List<Bfloat16s> rounded = [];
    private int drawn;

    /// <summary>An input of numbers between <paramref name="low"/> and <paramref name="high"/>.</summary>
    public Floats In(int n, float low = -1, float high = 1)
    {
        Philox random = new(new RandomKey(99, RandomPurpose.Other, Step: drawn++));
        float[] values = new float[n];
        for (int i = 0; i < n; i++)
            values[i] = low + (high - low) * random.Uniform(i);
        return In(values);
    }

    /// <summary>An input of whole numbers from <paramref name="low"/> to before <paramref name="high"/>.</summary>
    public Ints InInts(int n, int high, int low = 0)
    {
        Philox random = new(new RandomKey(99, RandomPurpose.Other, Step: drawn++));
        int[] values = new int[n];
        for (int i = 0; i < n; i++)
            values[i] = low + random.Below(high - low, i);
        return In(values);
    }

    /// <summary>An input of given values.</summary>
    public View<TValue> In<TValue>(TValue[] values)
        where TValue : unmanaged
    {
        View<TValue> view = Rent<TValue>(values.Length);
        backend.Write<TValue>(values, view);
        return view;
    }

    /// <summary>An output that is stored.</summary>
    public Floats Out(int n)
    {
        floats.Add(Rent<float>(n));
        return floats[^1];
    }

    /// <summary>An output that is added to random numbers.</summary>
    public Target Added(int n)
    {
        floats.Add(In(n));
        return new Target(floats[^1], Adds: true);
    }

    /// <summary>An output of whole numbers.</summary>
    public Ints OutInts(int n)
    {
        ints.Add(Rent<int>(n));
        return ints[^1];
    }

    /// <summary>An output in bfloat16.</summary>
    public Bfloat16s OutBfloat16s(int n)
    {
        bfloat16s.Add(Rent<ushort>(n));
        return bfloat16s[^1];
    }

    /// <summary>An output in bfloat16 that is added to these.</summary>
    public Target Added(ushort[] values)
    {
        bfloat16s.Add(In(values));
        return new Target(bfloat16s[^1], Adds: true);
    }

    /// <summary>An input of numbers in bfloat16.</summary>
    public Values InNarrow(int n, float low = -1, float high = 1)
    {
        Philox random = new(new RandomKey(99, RandomPurpose.Other, Step: drawn++));
        ushort[] values = new ushort[n];
        for (int i = 0; i < n; i++)
            values[i] = Bfloat16.Narrow(low + (high - low) * random.Uniform(i));
        return In(values);
    }

    /// <summary>An output in bfloat16 whose last bit may differ, stored, or added to random numbers.</summary>
    public Target OutNarrow(int n, bool adds = false)
    {
        rounded.Add(adds ? InNarrow(n).Bfloat16 : Rent<ushort>(n));
        return new Target(rounded[^1], adds);
    }

    /// <summary>Memory that is neither.</summary>
    public View<TValue> Rent<TValue>(int n)
        where TValue : unmanaged
    {
        DeviceBuffer buffer = backend.Pool.Rent(Math.Max(1, n) * (long)Unsafe.SizeOf<TValue>());
        buffers.Add(buffer);
        return buffer.As<TValue>(n);
    }

    /// <summary>The largest error of these outputs beside those of another device.</summary>
    public double ErrorBeside(KernelData expected)
    {
        double error = 0;
        for (int i = 0; i < floats.Count; i++)
            error = Math.Max(error, Largest(FloatsOf(i), expected.FloatsOf(i)));
        for (int i = 0; i < rounded.Count; i++)
            error = Math.Max(error, Largest(RoundedOf(i), expected.RoundedOf(i)));

        bool differ = !ints.Zip(expected.ints, (a, b) => backend.Read(a).AsSpan().SequenceEqual(expected.Read(b))).All(same => same)
            || !bfloat16s.Zip(expected.bfloat16s, (a, b) => backend.Read(a).AsSpan().SequenceEqual(expected.Read(b))).All(same => same);
        return differ ? double.PositiveInfinity : error;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (DeviceBuffer buffer in buffers)
            backend.Pool.Return(buffer);
    }

    private float[] FloatsOf(int output) => backend.Read(floats[output]);

    private float[] RoundedOf(int output) => backend.ReadWide(rounded[output]);

    private static double Largest(float[] actual, float[] expected) => actual.Zip(expected).Select(pair =>
    {
        (float a, float b) = pair;
        return a.Equals(b) ? 0 : double.IsNaN(a - b) ? double.PositiveInfinity : Math.Abs((double)a - b) / (1 + Math.Abs((double)b));
    }).DefaultIfEmpty().Max();

    private TValue[] Read<TValue>(View<TValue> view)
        where TValue : unmanaged => backend.Read(view);
}
