using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Layers;

/// <summary>Cosines and sines of the rotary angles position·θ^(−2i/D), both (positions, D/2) (Su et al. 2021).</summary>
internal sealed class RotaryTable(int positions, int headSize, float theta) : IDisposable
{
    private Backend? backend;
    private DeviceBuffer? cos;
    private DeviceBuffer? sin;

    public Floats Cos { get; private set; }

    public Floats Sin { get; private set; }

    /// <summary>Takes memory, which holds nothing yet.</summary>
    public void Place(Backend backend)
    {
        this.backend = backend;
        int count = positions * (headSize / 2);
        cos = backend.Pool.Rent((long)count * sizeof(float), "rotary table");
        sin = backend.Pool.Rent((long)count * sizeof(float), "rotary table");
        (Cos, Sin) = (cos.As<float>(count), sin.As<float>(count));
    }

    public void Allocate(Backend backend)
    {
        Place(backend);
        int half = headSize / 2, count = positions * half;
        double[] frequencies = [.. Enumerable.Range(0, half).Select(i => Math.Pow(theta, -2.0 * i / headSize))];
        float[] cosines = new float[count], sines = new float[count];
        for (int i = 0; i < count; i++)
        {
            double angle = i / half * frequencies[i % half];
            (sines[i], cosines[i]) = ((float)Math.Sin(angle), (float)Math.Cos(angle));
        }

        backend.Write<float>(cosines, Cos);
        backend.Write<float>(sines, Sin);
    }

    public void Dispose()
    {
        if (cos is not null && sin is not null)
        {
            backend!.Pool.Return(cos);
            backend.Pool.Return(sin);
            (cos, sin) = (null, null);
        }
    }
}
