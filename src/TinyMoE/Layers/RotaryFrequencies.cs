using TinyMoE.Configuration;

namespace TinyMoE.Layers;

/// <summary>
/// The angles per position of the pairs of a head, in double precision: θ^(−2i/D) (Su et al. 2021), or what a scaling for longer contexts
/// makes of them, and the factor that cosines and sines get with it.
/// </summary>
internal static class RotaryFrequencies
{
    /// <summary>
    /// The frequencies of the size/2 pairs of <paramref name="size"/> turned elements. s is the factor, M the original context. The length
    /// that dynamic scaling asks for is the model's context, however many tokens there are: then what a model computes of a token depends
    /// on no later one, and is the same with a cache as without. (Hugging Face takes the length so far, and leaves what a cache has.)
    /// </summary>
    public static double[] Of(ModelConfig model, AttentionConfig attention, int size)
    {
        double theta = attention.RopeTheta, s = attention.RopeFactor, M = attention.RopeOriginalContextOrAll(model);
        double[] plain = Powers(theta, size);
        return attention.RopeScaling switch
        {
            RopeScaling.None => plain,
            RopeScaling.Linear => Array.ConvertAll(plain, f => f / s),

            // θ grows so that the slowest pair is slowed by the length over M, and by s more per M ("dynamic NTK")
            RopeScaling.Dynamic => Powers(
                theta * Math.Pow(s * Math.Max(model.Context, M) / M - (s - 1), size / (size - 2.0)), size),
            RopeScaling.Llama3 => Array.ConvertAll(plain, f => Llama3(f, attention, s, M)),
            RopeScaling.Yarn => Yarn(plain, attention, size, s, M),
            _ => throw new InvalidOperationException($"No scaling {attention.RopeScaling}."),
        };
    }

    /// <summary>
    /// What cosines and sines are multiplied by: 1 but with yarn, where it is configured, or follows from both mscales, or from the factor
    /// (Peng et al. 2023, section 3.4).
    /// </summary>
    public static double AttentionFactor(AttentionConfig attention)
    {
        double s = attention.RopeFactor, k = attention.RopeMscale, all = attention.RopeMscaleAllDim;
        return attention.RopeScaling != RopeScaling.Yarn ? 1
            : attention.RopeAttentionFactor > 0 ? attention.RopeAttentionFactor
            : k > 0 && all > 0 ? Magnitude(s, k) / Magnitude(s, all)
            : Magnitude(s, 1);
    }

    /// <summary>
    /// m(s, k) = 0.1·k·ln s + 1, and 1 for factors up to 1: YaRN's growth of what attention multiplies (Peng et al. 2023). Scores are
    /// multiplied by its square.
    /// </summary>
    public static double Magnitude(double s, double k) => s <= 1 ? 1 : 0.1 * k * Math.Log(s) + 1;

    private static double[] Powers(double theta, int size) =>
        [.. Enumerable.Range(0, size / 2).Select(i => Math.Pow(theta, -2.0 * i / size))];

    /// <summary>
    /// Slow pairs, of less than `low` turns in the original context, are slowed by s; fast ones, of more than `high`, are not; between
    /// them a mixture (Llama 3.1).
    /// </summary>
    private static double Llama3(double frequency, AttentionConfig attention, double s, double M)
    {
        double low = attention.RopeLowFrequency, high = attention.RopeHighFrequency, wavelength = 2 * Math.PI / frequency;
        if (wavelength > M / low)
            return frequency / s;
        if (wavelength < M / high)
            return frequency;
        double share = (M / wavelength - low) / (high - low);
        return (1 - share) * frequency / s + share * frequency;
    }

    /// <summary>
    /// A ramp over the pairs: those before the pair that turns `fast` times in the original context keep their frequency, those after the
    /// one that turns `slow` times have it divided by s (YaRN, Peng et al. 2023).
    /// </summary>
    private static double[] Yarn(double[] plain, AttentionConfig attention, int size, double s, double M)
    {
        double PairOf(double turns) => size * Math.Log(M / (turns * 2 * Math.PI)) / (2 * Math.Log(attention.RopeTheta));
        double low = PairOf(attention.RopeBetaFast), high = PairOf(attention.RopeBetaSlow);
        if (attention.RopeTruncate)
            (low, high) = (Math.Floor(low), Math.Ceiling(high));
        (low, high) = (Math.Max(low, 0), Math.Min(high, size - 1));
        if (low == high)
            high += 0.001;
        return [.. plain.Select((f, i) =>
        {
            double slowed = Math.Clamp((i - low) / (high - low), 0, 1);
            return slowed * f / s + (1 - slowed) * f;
        })];
    }
}
