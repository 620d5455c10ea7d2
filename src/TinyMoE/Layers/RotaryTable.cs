using TinyMoE.Backends;
using TinyMoE.Configuration;
using TinyMoE.Memory;

namespace TinyMoE.Layers;

/// <summary>
/// Cosines and sines of the rotary angles position·frequency, both (positions, size/2), times the factor of the scaling. With dynamic
/// scaling they depend on the length of the sequence beyond the original context, and <see cref="Reach"/> makes them those of a length.
/// </summary>
/// <param name="model">Its context is the number of positions.</param>
/// <param name="attention">Base and scaling.</param>
/// <param name="size">Elements of a head that are turned, an even number.</param>
internal sealed class RotaryTable(ModelConfig model, AttentionConfig attention, int size) : IDisposable
{
    private readonly int half = size / 2;
    private Backend? backend;
    private DeviceBuffer? cos;
    private DeviceBuffer? sin;
    private int reached; // the length whose angles are in the table; 0: none are

    public Floats Cos { get; private set; }

    public Floats Sin { get; private set; }

    /// <summary>
    /// Whether a token more can change the angles of those before it. A cache keeps keys as they were before they were turned then.
    /// </summary>
    public bool DependsOnLength => attention.RopeScaling == RopeScaling.Dynamic && model.Context > OriginalContext;

    private int OriginalContext => attention.RopeOriginalContextOrAll(model);

    /// <summary>Takes memory, which holds nothing yet.</summary>
    public void Place(Backend backend)
    {
        this.backend = backend;
        int count = model.Context * half;
        cos = backend.Pool.Rent((long)count * sizeof(float), "rotary table");
        sin = backend.Pool.Rent((long)count * sizeof(float), "rotary table");
        (Cos, Sin) = (cos.As<float>(count), sin.As<float>(count));
    }

    public void Allocate(Backend backend)
    {
        Place(backend);
        Fill(DependsOnLength ? OriginalContext : model.Context);
    }

    /// <summary>Makes the angles those of a sequence of so many tokens, before any of them is turned.</summary>
    public void Reach(int length)
    {
        if (reached > 0 && DependsOnLength && Math.Max(length, OriginalContext) != reached)
            Fill(Math.Max(length, OriginalContext));
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

    /// <summary>The angles of all positions of a sequence of this length.</summary>
    private void Fill(int length)
    {
        int count = length * half;
        double[] frequencies = RotaryFrequencies.Of(model, attention, size, length);
        double factor = RotaryFrequencies.AttentionFactor(attention);
        float[] cosines = new float[count], sines = new float[count];
        for (int i = 0; i < count; i++)
        {
            double angle = i / half * frequencies[i % half];
            (sines[i], cosines[i]) = ((float)(factor * Math.Sin(angle)), (float)(factor * Math.Cos(angle)));
        }

        backend!.Write<float>(cosines, Cos.Slice(0, count));
        backend.Write<float>(sines, Sin.Slice(0, count));
        reached = length;
    }
}
