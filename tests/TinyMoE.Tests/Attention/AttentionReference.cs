using TinyMoE.Configuration;

namespace TinyMoE.Tests.Attention;

/// <summary>Causal attention token by token, head by head, in double precision: its formulas and nothing else.</summary>
/// <param name="model">Width, context, norm, positions.</param>
/// <param name="attention">Heads, norms, scale.</param>
/// <param name="window">Keys that a query sees; 0: all.</param>
/// <param name="values">Parameters by name, and "x" (B·T, C).</param>
internal sealed class AttentionReference(
    ModelConfig model, AttentionConfig attention, int window, IReadOnlyDictionary<string, float[]> values)
{
    private readonly int headSize = attention.HeadSize > 0 ? attention.HeadSize : model.Width / attention.Heads;
    private readonly int kvHeads = attention.KvHeads > 0 ? attention.KvHeads : attention.Heads;

    public Dictionary<string, double[]> Values { get; } =
        values.ToDictionary(pair => pair.Key, pair => Array.ConvertAll(pair.Value, v => (double)v));

    /// <summary>(B·T, C).</summary>
    public double[] Forward()
    {
        double[][] x = [.. Values["x"].Chunk(model.Width)];
        double[][][] q = [.. x.Select((row, n) => Turned("query", row, n % model.Context))];
        double[][][] k = [.. x.Select((row, n) => Turned("key", row, n % model.Context))];
        double[][][] v = [.. x.Select(row => Clipped(Linear("value", row)).Chunk(headSize).ToArray())];
        IEnumerable<int> heads = Enumerable.Range(0, attention.Heads);
        return [.. x.SelectMany((_, n) => Linear("output", [.. heads.SelectMany(h => Attend(q[n][h], k, v, n, h))]))];
    }

    /// <summary>What head h of token n sees: Σ softmax(scale·q·k)·v over itself and the tokens before it.</summary>
    private double[] Attend(double[] q, double[][][] k, double[][][] v, int n, int h)
    {
        int t = n % model.Context, shared = h / (attention.Heads / kvHeads);
        double scale = attention.Scale > 0 ? attention.Scale : 1 / Math.Sqrt(headSize);
        double[] y = new double[headSize];
        double sum = Values.TryGetValue("sinks", out double[]? sinks) ? Math.Exp(sinks[h]) : 0;
        for (int back = 0; back <= t && (window == 0 || back < window); back++)
        {
            double weight = Math.Exp(scale * Dot(q, k[n - back][shared]));
            sum += weight;
            for (int i = 0; i < headSize; i++)
                y[i] += weight * v[n - back][shared][i];
        }

        return Array.ConvertAll(y, value => value / sum);
    }

    /// <summary>Queries or keys by head: projected, normed, turned to their position.</summary>
    private double[][] Turned(string which, double[] x, int position)
    {
        double[] all = Linear(which, x);
        if (attention.QueryKeyNorm == QueryKeyNorm.Whole)
            all = Normed($"{which}_norm", all);
        double[][] heads = [.. all.Chunk(headSize)];
        if (attention.QueryKeyNorm == QueryKeyNorm.PerHead)
            heads = Array.ConvertAll(heads, head => Normed($"{which}_norm", head));
        heads = Array.ConvertAll(heads, Clipped);
        return model.Positions == PositionKind.Rope ? Array.ConvertAll(heads, head => Rotated(head, position)) : heads;
    }

    private double[] Clipped(double[] x) =>
        attention.Clip == 0 ? x : Array.ConvertAll(x, value => Math.Min(Math.Max(value, -attention.Clip), attention.Clip));

    private double[] Normed(string name, double[] x)
    {
        double mean = model.Norm == NormKind.Layer ? x.Average() : 0;
        double deviation = Math.Sqrt(x.Average(value => (value - mean) * (value - mean)) + model.NormEpsilon);
        double[] weight = Values[$"{name}.weight"];
        double[]? bias = Values.GetValueOrDefault($"{name}.bias");
        return [.. x.Select((value, i) => (value - mean) / deviation * weight[i] + (bias?[i] ?? 0))];
    }

    private double[] Rotated(double[] x, int position)
    {
        int size = attention.RopeSize > 0 ? attention.RopeSize : headSize, half = size / 2;
        (double[] frequencies, double factor) = RopeReference.Of(attention, size, model.Context);
        double[] y = [.. x];
        for (int i = 0; i < half; i++)
        {
            (double sin, double cos) = Math.SinCos(position * frequencies[i]);
            (int a, int b) = attention.RopeInterleaved ? (2 * i, 2 * i + 1) : (i, i + half);
            (y[a], y[b]) = (factor * (x[a] * cos - x[b] * sin), factor * (x[b] * cos + x[a] * sin));
        }

        return y;
    }

    private double[] Linear(string name, double[] x)
    {
        double[]? bias = Values.GetValueOrDefault($"{name}.bias");
        return [.. Values[$"{name}.weight"].Chunk(x.Length).Select((row, i) => Dot(row, x) + (bias?[i] ?? 0))];
    }

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();
}
