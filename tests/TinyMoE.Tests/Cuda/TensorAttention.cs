using TinyMoE.Backends;
using TinyMoE.Backends.Cases;
using TinyMoE.Cuda;
using TinyMoE.Memory;

namespace TinyMoE.Tests.Cuda;

/// <summary>Inputs of one attention, what its kernels on tensor cores make of them, and what they should make.</summary>
internal sealed class TensorAttention
{
    private readonly AttentionSizes sizes;
    private readonly Dropout dropout;
    private readonly bool inBfloat16;
    private readonly float[] q, k, v, dy;

    public TensorAttention(in AttentionSizes sizes, in Dropout dropout, bool inBfloat16)
    {
        (this.sizes, this.dropout, this.inBfloat16) = (sizes, dropout, inBfloat16);
        int keys = sizes.B * sizes.S * sizes.KvHeads, queries = sizes.B * sizes.T * sizes.H;
        (q, k, v, dy) = (
            Numbers(1, queries * sizes.D), Numbers(2, keys * sizes.D), Numbers(3, keys * sizes.ValueSize),
            Numbers(4, queries * sizes.ValueSize));
    }

    /// <summary>So many elements of a head were turned: their gradients are turned back.</summary>
    public int Turned { get; init; }

    /// <summary>Whether these are pairs of neighbours.</summary>
    public bool Interleaved { get; init; }

    /// <summary>The angle of a pair at a position.</summary>
    private static double Angle(int position, int pair) => position / (1.0 + pair);

    /// <summary>y, logSumExp, dq, dk, dv; the gradients are stored, or added to numbers.</summary>
    public float[][] Run(CudaBackend cuda, bool adds)
    {
        if (sizes.Stride > 0)
            return RunJoined(cuda, adds);
        using KernelData d = new(cuda);
        View<float> logSumExp = d.Rent<float>(sizes.B * sizes.H * sizes.T);
        if (inBfloat16)
            return RunBfloat16(cuda, d, logSumExp, adds);

        (View<float> queries, View<float> keys, View<float> values, View<float> slopes, View<float> y) =
            (d.In(q), d.In(k), d.In(v), d.In(dy), d.Rent<float>(dy.Length));
        cuda.AttentionForward(queries, keys, values, sizes, dropout, y, logSumExp);
        View<float>[] gradients = [.. Starts(adds).Select(start => d.In(start))];
        cuda.AttentionBackward(
            slopes, queries, keys, values, y, logSumExp, sizes, dropout, new Target(gradients[0], adds), new Target(gradients[1], adds),
            new Target(gradients[2], adds));
        return [cuda.Read(y), cuda.Read(logSumExp), .. gradients.Select(gradient => cuda.Read(gradient))];
    }

    /// <summary>What they should be.</summary>
    public AttentionReference Exact() => new(sizes, dropout, q, k, v, dy);

    /// <summary>What dq, dk, dv are added to; NaN where they are stored.</summary>
    public float[][] Starts(bool adds) =>
        [.. new[] { q, k, v }.Select((x, i) => adds ? Numbers(5 + i, x.Length) : [.. Enumerable.Repeat(float.NaN, x.Length)])];

    /// <inheritdoc/>
    public override string ToString() => $"{sizes}, dropout {dropout.Rate}";

    /// <summary>The same with q, k and v in the columns of one matrix, and their gradients likewise; other columns stay.</summary>
    private float[][] RunJoined(CudaBackend cuda, bool adds)
    {
        using KernelData d = new(cuda);
        int stride = sizes.Stride, rows = sizes.B * sizes.T;
        int[] widths = [sizes.H * sizes.D, sizes.KvHeads * sizes.D, sizes.KvHeads * sizes.ValueSize];
        int[] starts = [0, widths[0], widths[0] + widths[1]];
        Values In(float[] values) => inBfloat16 ? d.In(Array.ConvertAll(values, Bfloat16.Narrow)) : d.In(values);
        Values Part(Values all, int i) => all.Slice(starts[i], all.Length - stride + widths[i]);
        float[] Joined(float[][] parts)
        {
            float[] all = [.. Enumerable.Repeat(7f, rows * stride)];
            for (int i = 0; i < rows * 3; i++)
                parts[i % 3].AsSpan(i / 3 * widths[i % 3], widths[i % 3]).CopyTo(all.AsSpan(i / 3 * stride + starts[i % 3]));
            return all;
        }

        (Values x, Values dx) = (In(Joined([q, k, v])), In(Joined(Starts(adds))));
        (Values slopes, Values y) = (In(dy), In(new float[dy.Length]));
        View<float> logSumExp = d.Rent<float>(sizes.B * sizes.H * sizes.T);
        cuda.AttentionForward(Part(x, 0), Part(x, 1), Part(x, 2), sizes, dropout, y, logSumExp);
        cuda.AttentionBackward(
            slopes, Part(x, 0), Part(x, 1), Part(x, 2), y, logSumExp, sizes, dropout, new Target(Part(dx, 0), adds),
            new Target(Part(dx, 1), adds), new Target(Part(dx, 2), adds), Angles(d));
        float[][] gradients = [.. cuda.ReadWide(dx).Chunk(stride)];
        if (gradients.Any(row => row[(starts[2] + widths[2])..].Any(other => other != 7f)))
            throw new InvalidOperationException("Attention has written into columns that are not its own.");
        return
        [
            cuda.ReadWide(y), cuda.Read(logSumExp),
            .. Enumerable.Range(0, 3).Select(i => gradients.SelectMany(row => row.AsSpan(starts[i], widths[i]).ToArray()).ToArray()),
        ];
    }

    /// <summary>A gradient like q or k, turned back on the host.</summary>
    public double[] TurnedBack(float[] gradient, int heads)
    {
        double[] turned = [.. gradient.Select(value => (double)value)];
        for (int row = 0; row < gradient.Length / sizes.D; row++)
        {
            for (int pair = 0; pair < Turned / 2; pair++)
            {
                double angle = Angle(row / heads % sizes.T + 1, pair), cos = Math.Cos(angle), sin = Math.Sin(angle);
                int a = row * sizes.D + (Interleaved ? 2 * pair : pair), b = Interleaved ? a + 1 : a + Turned / 2;
                (turned[a], turned[b]) = (gradient[a] * cos + gradient[b] * sin, gradient[b] * cos - gradient[a] * sin);
            }
        }

        return turned;
    }

    private RotaryAngles Angles(KernelData d)
    {
        View<float> Table(Func<double, double> f) => d.In(
            Enumerable.Range(0, (sizes.T + 1) * Turned / 2).Select(i => (float)f(Angle(i / (Turned / 2), i % (Turned / 2)))).ToArray());
        return Turned == 0 ? default : new(Table(Math.Cos), Table(Math.Sin), Turned, Start: 1, Interleaved);
    }

    private float[][] RunBfloat16(CudaBackend cuda, KernelData d, View<float> logSumExp, bool adds)
    {
        View<ushort> In(float[] values) => d.In(Array.ConvertAll(values, Bfloat16.Narrow));
        float[] Read(View<ushort> view) => Array.ConvertAll(cuda.Read(view), Bfloat16.Widen);

        (View<ushort> queries, View<ushort> keys, View<ushort> values, View<ushort> slopes, View<ushort> y) =
            (In(q), In(k), In(v), In(dy), d.Rent<ushort>(dy.Length));
        cuda.AttentionForward(queries, keys, values, sizes, dropout, y, logSumExp);
        View<ushort>[] gradients = [.. Starts(adds).Select(In)];
        cuda.AttentionBackward(
            slopes, queries, keys, values, y, logSumExp, sizes, dropout, new Target(gradients[0], adds), new Target(gradients[1], adds),
            new Target(gradients[2], adds));
        return [Read(y), cuda.Read(logSumExp), .. gradients.Select(Read)];
    }

    private float[] Numbers(int purpose, int n)
    {
        Random random = new(purpose * 1000 + sizes.D);
        float[] numbers = new float[n];
        for (int i = 0; i < n; i++)
            numbers[i] = 2 * random.NextSingle() - 1;
        return inBfloat16 ? Array.ConvertAll(numbers, number => Bfloat16.Widen(Bfloat16.Narrow(number))) : numbers;
    }
}
