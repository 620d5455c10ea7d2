using TinyMoE.Layers;
using TinyMoE.RandomNumbers;

namespace TinyMoE.Tests.Attention;

/// <summary>Sizes of a layer of SwitchHead attention: E experts in each of H query heads (KvHeads of values), K of them a token.</summary>
internal sealed record SwitchHeadSizes(
    int B, int T, int H, int KvHeads, int D, int E, int K,
    int Window = 0, bool Biases = false, bool QueryKeyValueBiases = false, float GateDropout = 0)
{
    public int Width => H * D;

    /// <summary>Rotary positions need pairs.</summary>
    public bool Rotates => D % 2 == 0;
}

/// <summary>SwitchHead attention head by head, expert by expert, in double precision: its formulas and nothing else.</summary>
/// <param name="s">Its sizes.</param>
/// <param name="pass">Names the random numbers of expert dropout.</param>
/// <param name="values">Parameters by name, and "x" (B·T, C).</param>
internal sealed class SwitchHeadReference(SwitchHeadSizes s, Pass pass, IReadOnlyDictionary<string, float[]> values)
{
    public Dictionary<string, double[]> Values { get; } =
        values.ToDictionary(pair => pair.Key, pair => Array.ConvertAll(pair.Value, v => (double)v));

    /// <summary>(B·T, C).</summary>
    public double[] Forward()
    {
        double[][] x = [.. Values["x"].Chunk(s.Width)];          // (B·T)(C)
        double[][][] q = [.. x.Select((row, n) => Heads(row, "query", s.H, n % s.T))];
        double[][][] k = [.. x.Select((row, n) => Heads(row, "key", s.KvHeads, n % s.T))];
        // (B·T)(KvHeads)(D)
        double[][][] v = [.. x.Select((row, n) => Enumerable.Range(0, s.KvHeads).Select(h => Value(row, n, h)).ToArray())];
        return [.. x.SelectMany((row, n) => Enumerable.Range(0, s.H).Select(h => Output(row, n, h, Attend(q, k, v, n, h))).Aggregate(Add))];
    }

    /// <summary>Σ over the chosen experts of σ(s)·(W·x + b).</summary>
    private double[] Value(double[] x, int n, int head) =>
        Choose("value_router.weight", RandomPurpose.ValueGateDropout, s.KvHeads, x, n, head)
            .Select(chosen =>
            {
                double[] value = Product(Expert("value_experts.weight", head, chosen.Expert, s.D * s.Width), x);
                if (s.QueryKeyValueBiases)
                    value = Add(value, Expert("value_experts.bias", head, chosen.Expert, s.D));
                return Scale(chosen.Gate, value);
            })
            .Aggregate(Add);

    /// <summary>Σ over the chosen experts of σ(s)·(W·y + b).</summary>
    private double[] Output(double[] x, int n, int head, double[] y) =>
        Choose("output_router.weight", RandomPurpose.OutputGateDropout, s.H, x, n, head)
            .Select(chosen =>
            {
                double[] output = Product(Expert("output_experts.weight", head, chosen.Expert, s.D * s.Width), y);
                return Scale(chosen.Gate, s.Biases ? Add(output, Expert("output_experts.bias", head, chosen.Expert, s.Width)) : output);
            })
            .Aggregate(Add);

    /// <summary>
    /// The K experts of the largest scores among those that dropout leaves; where it leaves fewer, those it came nearest to leaving.
    /// </summary>
    private IEnumerable<(int Expert, double Gate)> Choose(string gate, RandomPurpose purpose, int heads, double[] x, int n, int head)
    {
        double[] scores = Product(Values[gate].AsSpan(head * s.E * s.Width, s.E * s.Width).ToArray(), x);
        Philox random = new(pass.Key(purpose, layer: 0));
        double Rank(int e)
        {
            float u = random.Uniform((long)pass.Part * s.B * s.T * heads * s.E + (n * heads + head) * s.E + e);
            return u < s.GateDropout ? 1e30 * (u - s.GateDropout) : scores[e];
        }

        return Enumerable.Range(0, s.E).OrderByDescending(Rank).Take(s.K).Select(e => (e, 1 / (1 + Math.Exp(-scores[e]))));
    }

    private double[] Attend(double[][][] q, double[][][] k, double[][][] v, int n, int head)
    {
        int kvHead = head / (s.H / s.KvHeads), t = n % s.T, first = s.Window > 0 ? Math.Max(0, t + 1 - s.Window) : 0;
        int[] keys = [.. Enumerable.Range(n - t + first, t + 1 - first)];
        double[] weights = [.. keys.Select(key => Math.Exp(Dot(q[n][head], k[key][kvHead]) / Math.Sqrt(s.D)))];
        return keys.Select((key, i) => Scale(weights[i] / weights.Sum(), v[key][kvHead])).Aggregate(Add);
    }

    /// <summary>A projection of x, cut into heads, rotated to its position.</summary>
    private double[][] Heads(double[] x, string projection, int heads, int position)
    {
        double[] all = Product(Values[$"{projection}.weight"], x);
        if (s.QueryKeyValueBiases)
            all = Add(all, Values[$"{projection}.bias"]);
        return [.. all.Chunk(s.D).Take(heads).Select(head => s.Rotates ? Rotate(head, position) : head)];
    }

    private static double[] Rotate(double[] x, int position)
    {
        int half = x.Length / 2;
        return [.. x.Select((value, i) =>
        {
            double angle = position * Math.Pow(10000, -(i % half) / (double)half);
            return value * Math.Cos(angle) + (i < half ? -x[i + half] : x[i - half]) * Math.Sin(angle);
        })];
    }

    private double[] Expert(string name, int head, int expert, int size) =>
        Values[name].AsSpan((head * s.E + expert) * size, size).ToArray();

    private static double[] Product(double[] matrix, double[] x) => [.. matrix.Chunk(x.Length).Select(row => Dot(row, x))];

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();

    private static double[] Add(double[] a, double[] b) => [.. a.Zip(b, (x, y) => x + y)];

    private static double[] Scale(double factor, double[] x) => Array.ConvertAll(x, value => factor * value);
}
