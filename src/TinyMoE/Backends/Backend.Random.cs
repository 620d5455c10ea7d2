using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Backends;

// Random numbers, and what is made with them: a pure function of key and place.
public abstract partial class Backend
{
    /// <summary>y[i] = number Part·n + i of the stream, uniform in [0, 1). y (n).</summary>
    public abstract void FillUniform(RandomKey key, int n, Floats y);

    /// <summary>y[i] = number Part·n + i of the stream, standard normal. y (n).</summary>
    public abstract void FillNormal(RandomKey key, int n, Floats y);

    /// <summary>y[i] = x[i]·(1 − width + 2·width·u) with u the uniform number Part·n + i; its own backward. x, y (n).</summary>
    public abstract void Jitter(Floats x, float width, RandomKey key, int n, Target y);

    /// <summary>y[i] = u ≥ rate ? x[i]/(1 − rate) : 0 with u the uniform number Part·n + i; its own backward. x, y (n).</summary>
    public abstract void Dropout(Values x, in Dropout dropout, int n, Target y);
}

/// <summary>Dropout of one place: the rate, 0 for none, and the stream of its random numbers.</summary>
/// <param name="Rate">Share of values set to zero, 0 to below 1.</param>
/// <param name="Key">Names the random numbers.</param>
public readonly record struct Dropout(float Rate, RandomKey Key)
{
    /// <summary>No dropout.</summary>
    public static Dropout None => default;
}
