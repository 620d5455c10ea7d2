using TinyMoE.Configuration;

namespace TinyMoE.Tests.Attention;

/// <summary>Rotary frequencies pair by pair, as the papers of the scalings give them.</summary>
internal static class RopeReference
{
    /// <summary>Frequencies of size/2 pairs, and the factor of cosines and sines.</summary>
    public static (double[] Frequencies, double Factor) Of(AttentionConfig attention, int size, int context)
    {
        double s = attention.RopeFactor, M = attention.RopeOriginalContext > 0 ? attention.RopeOriginalContext : context;
        double theta = attention.RopeTheta, factor = 1;
        double[] frequencies = new double[size / 2];
        for (int i = 0; i < frequencies.Length; i++)
        {
            double period = Math.Pow(theta, 2.0 * i / size) * 2 * Math.PI, turns = M / period; // of the pair in the original context
            frequencies[i] = 2 * Math.PI / attention.RopeScaling switch
            {
                RopeScaling.Linear => period * s,
                RopeScaling.Dynamic when context > M =>
                    2 * Math.PI * Math.Pow(theta * Math.Pow(s * context / M - (s - 1), size / (size - 2.0)), 2.0 * i / size),
                RopeScaling.Llama3 => Harmonic(period, s, Share(turns, attention.RopeLowFrequency, attention.RopeHighFrequency)),
                RopeScaling.Yarn => Harmonic(period, s, 1 - Ramp(attention, i, size, M)),
                _ => period,
            };
        }

        if (attention.RopeScaling == RopeScaling.Yarn)
        {
            double m = 0.1 * Math.Log(s), k = attention.RopeMscale, all = attention.RopeMscaleAllDim;
            factor = attention.RopeAttentionFactor > 0 ? attention.RopeAttentionFactor
                : k > 0 && all > 0 ? (k * m + 1) / (all * m + 1) : m + 1;
        }

        return (frequencies, factor);
    }

    /// <summary>The period whose frequency is kept by a share, and for the rest divided by s.</summary>
    private static double Harmonic(double period, double s, double kept) => 1 / (kept / period + (1 - kept) / (s * period));

    private static double Share(double at, double low, double high) => Math.Clamp((at - low) / (high - low), 0, 1);

    private static double Ramp(AttentionConfig attention, int pair, int size, double M)
    {
        double Pair(double turns) => size / 2.0 * Math.Log(M / (2 * Math.PI * turns), attention.RopeTheta);
        double first = Pair(attention.RopeBetaFast), last = Pair(attention.RopeBetaSlow);
        if (attention.RopeTruncate)
            (first, last) = (Math.Floor(first), Math.Ceiling(last));
        (first, last) = (Math.Max(first, 0), Math.Min(last, size - 1));
        return Share(pair, first, first == last ? last + 0.001 : last);
    }
}
