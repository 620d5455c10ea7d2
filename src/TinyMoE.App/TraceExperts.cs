using TinyMoE.Inspect;

namespace TinyMoE.App;

/// <summary>What both forms of a trace share.</summary>
internal static class TraceExperts
{
    /// <summary>The parts of a layer that experts are of.</summary>
    public const string OfLayer = "experts", OfValues = "value", OfOutputs = "output";

    /// <summary>The likeliest experts of each token, as many as there are or are asked for, the likeliest first; (N, them).</summary>
    public static int[] Likeliest(TraceLayer layer, int most)
    {
        if (most == 0 || layer.Probabilities is not { } p)
            return [];
        int E = layer.Experts, N = p.Length / E, each = Math.Min(most, E);
        int[] likeliest = new int[N * each];
        float[] values = new float[each];
        for (int n = 0; n < N; n++)
            TraceLogits.Largest(p.AsSpan(n * E, E), likeliest.AsSpan(n * each, each), values);
        return likeliest;
    }
}
