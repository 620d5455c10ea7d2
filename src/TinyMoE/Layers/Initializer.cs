using TinyMoE.RandomNumbers;

namespace TinyMoE.Layers;

/// <summary>How a parameter's values begin.</summary>
public readonly struct Initializer
{
    private readonly float deviation;
    private readonly float limit;    // in standard deviations; 0: none
    private readonly float constant;

    private Initializer(float deviation, float limit, float constant) =>
        (this.deviation, this.limit, this.constant) = (deviation, limit, constant);

    /// <summary>All zero.</summary>
    public static Initializer Zeros => default;

    /// <summary>All one.</summary>
    public static Initializer Ones => new(0f, 0f, 1f);

    /// <summary>Normal with mean zero.</summary>
    public static Initializer Normal(float deviation) => new(deviation, 0f, 0f);

    /// <summary>Normal with mean zero, drawn again where it is beyond two standard deviations.</summary>
    public static Initializer TruncatedNormal(float deviation) => new(deviation, 2f, 0f);

    /// <summary>
    /// Fills <paramref name="values"/>, those from <paramref name="first"/> on, from the streams of <paramref name="seed"/> for parameter
    /// <paramref name="index"/>.
    /// </summary>
    internal void Fill(Span<float> values, int first, ulong seed, int index)
    {
        if (deviation == 0f)
        {
            values.Fill(constant);
            return;
        }

        Philox random = new(new RandomKey(seed, RandomPurpose.Initialization, Step: 0, index));
        for (int i = 0; i < values.Length; i++)
        {
            float value = random.Normal(first + i);
            for (int attempt = 1; limit > 0f && MathF.Abs(value) > limit; attempt++)
                value = new Philox(new RandomKey(seed, RandomPurpose.Initialization, attempt, index)).Normal(first + i);
            values[i] = deviation * value;
        }
    }
}
