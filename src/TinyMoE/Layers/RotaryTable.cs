using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Memory;

namespace TinyMoE.Layers;

/// <summary>
/// Cosines and sines of the rotary angles position·frequency, both (positions, size/2), times the factor of the scaling.
/// </summary>
/// <param name="model">Its context is the number of positions.</param>
/// <param name="attention">Base and scaling.</param>
/// <param name="size">Elements of a head that are turned, an even number.</param>
internal sealed class RotaryTable(ModelConfig model, AttentionConfig attention, int size) : IDisposable
{
    private Backend? backend;
    private DeviceBuffer? cos;
    private DeviceBuffer? sin;

    /// <summary>Angles of a position, size/2.</summary>
    public int Half => size / 2;

    public Floats Cos { get; private set; }

    public Floats Sin { get; private set; }

    /// <summary>Takes memory, which holds nothing yet.</summary>
    public void Place(Backend backend)
    {
        this.backend = backend;
        int count = model.Context * (size / 2);
        cos = backend.Pool.Rent((long)count * sizeof(float), "rotary table");
        sin = backend.Pool.Rent((long)count * sizeof(float), "rotary table");
        (Cos, Sin) = (cos.As<float>(count), sin.As<float>(count));
    }

    public void Allocate(Backend backend)
    {
        Place(backend);
        int half = size / 2, count = model.Context * half;
        double[] frequencies = RotaryFrequencies.Of(model, attention, size);
        double factor = RotaryFrequencies.AttentionFactor(attention);
        float[] cosines = new float[count], sines = new float[count];
        for (int i = 0; i < count; i++)
        {
            double angle = i / half * frequencies[i % half];
            (sines[i], cosines[i]) = ((float)(factor * Math.Sin(angle)), (float)(factor * Math.Cos(angle)));
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
