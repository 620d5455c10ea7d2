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

    public void Allocate(Backend backend)
    {
        this.backend = backend;
        int half = headSize / 2, count = positions * half;
        float[] cosines = new float[count], sines = new float[count];
        for (int i = 0; i < count; i++)
        {
            double angle = i / half * Math.Pow(theta, -2.0 * (i % half) / headSize);
            (sines[i], cosines[i]) = ((float)Math.Sin(angle), (float)Math.Cos(angle));
        }

        cos = backend.Pool.Rent((long)count * sizeof(float));
        sin = backend.Pool.Rent((long)count * sizeof(float));
        (Cos, Sin) = (cos.As<float>(count), sin.As<float>(count));
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
