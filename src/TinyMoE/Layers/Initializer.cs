using TinyMoE.Memory;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Layers;

/// <summary>How a parameter's values begin.</summary>
public readonly struct Initializer
{
    private const int PieceSize = 16 * 1024; // of what threads share out

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
    /// <paramref name="index"/>: on all cores, for each number depends on its place alone.
    /// </summary>
    internal void Fill(Memory<float> values, int first, ulong seed, int index)
    {
        if (deviation == 0f)
        {
            values.Span.Fill(constant);
            return;
        }

        Initializer self = this;
        int pieces = Ceiling.Divide(values.Length, PieceSize);
        if (pieces == 1)
            DrawPiece(0);
        else
            Parallel.For(0, pieces, DrawPiece);

        void DrawPiece(int piece)
        {
            int start = piece * PieceSize;
            self.Draw(values.Span[start..Math.Min(values.Length, start + PieceSize)], (long)first + start, seed, index);
        }
    }

    private void Draw(Span<float> values, long first, ulong seed, int index)
    {
        new Philox(new RandomKey(seed, RandomPurpose.Initialization, Step: 0, index)).Normals(first, values);
        for (int i = 0; i < values.Length; i++)
        {
            float value = values[i];
            for (int attempt = 1; limit > 0f && MathF.Abs(value) > limit; attempt++)
                value = new Philox(new RandomKey(seed, RandomPurpose.Initialization, attempt, index)).Normal(first + i);
            values[i] = deviation * value;
        }
    }
}
