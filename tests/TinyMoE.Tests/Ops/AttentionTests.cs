using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;
using TinyMoE.Tests.Backends;

namespace TinyMoE.Tests.Ops;

public sealed class AttentionTests : OpTests<AttentionTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases => new[]
    {
        new AttentionSizes(1, 1, 1, 1, 1, 1),
        new AttentionSizes(2, 5, 5, 2, 1, 6),                  // a head smaller than a vector
        new AttentionSizes(1, 37, 37, 2, 1, 7),                // several blocks
        new AttentionSizes(1, 18, 18, 4, 2, 16),               // groups of query heads
        new AttentionSizes(2, 19, 19, 1, 1, 32, Window: 5),
        new AttentionSizes(1, 40, 40, 1, 1, 6, Window: 21),
        new AttentionSizes(1, 3, 21, 2, 1, 33),                // queries after a cache
        new AttentionSizes(1, 17, 30, 2, 1, 6, Window: 9),
        new AttentionSizes(2, 1, 19, 2, 1, 16),                // one query, as in generation
        new AttentionSizes(1, 1, 33, 2, 2, 32, Window: 8),
        new AttentionSizes(1, 70, 70, 1, 1, 1),
        new AttentionSizes(1, 103, 103, 2, 1, 2),              // more keys than the backward meets at once
        new AttentionSizes(1, 99, 115, 1, 1, 1, Window: 98),
        new AttentionSizes(1, 7, 9, 2, 1, 68),                 // large heads
        new AttentionSizes(1, 4, 4, 1, 1, 131),
        new AttentionSizes(1, 3, 5, 6, 2, 24),                 // sizes of heads that models have
        new AttentionSizes(1, 1, 5, 2, 1, 24),
        new AttentionSizes(1, 3, 5, 2, 1, 64),
        new AttentionSizes(1, 3, 5, 2, 1, 80),
        new AttentionSizes(1, 1, 5, 2, 1, 80),
        new AttentionSizes(1, 3, 4, 2, 1, 96),
        new AttentionSizes(1, 2, 3, 2, 1, 128),
        new AttentionSizes(1, 1, 3, 2, 1, 192),
        new AttentionSizes(1, 2, 3, 1, 1, 192),
        new AttentionSizes(1, 2, 3, 1, 1, 256),
        new AttentionSizes(1, 1, 3, 1, 1, 257),
    }.Select(sizes => Attention(sizes, 0f)).Concat(
    [
        Attention(new AttentionSizes(1, 18, 18, 2, 1, 3), 0.3f),
        Attention(new AttentionSizes(1, 5, 9, 2, 2, 16, Window: 4), 0.5f),
        Attention(new AttentionSizes(1, 1, 21, 2, 1, 16), 0.3f),
        Attention(new AttentionSizes(2, 19, 19, 4, 2, 6) { ValueSize = 4 }, 0f), // values of their own size
        Attention(new AttentionSizes(1, 5, 21, 2, 1, 3, Window: 4) { ValueSize = 18 }, 0f),
        Attention(new AttentionSizes(1, 1, 19, 4, 2, 32) { ValueSize = 64 }, 0f),
        Attention(new AttentionSizes(2, 1, 7, 2, 1, 64) { ValueSize = 32 }, 0f),
        Attention(new AttentionSizes(1, 1, 5, 2, 2, 33) { ValueSize = 7 }, 0f),
        Attention(new AttentionSizes(1, 3, 4, 2, 1, 70) { ValueSize = 20 }, 0f),
        Attention(new AttentionSizes(1, 3, 4, 2, 1, 12) { ValueSize = 131 }, 0f),
        Attention(new AttentionSizes(1, 9, 9, 2, 1, 8) { ValueSize = 5 }, 0.3f),
        Attention(new AttentionSizes(2, 7, 7, 4, 2, 6) { ValueSize = 3 }, 0f, sinks: true),
        Attention(new AttentionSizes(1, 1, 1, 1, 1, 1), 0f, sinks: true),
        Attention(new AttentionSizes(2, 7, 7, 4, 2, 6), 0f, sinks: true),
        Attention(new AttentionSizes(1, 40, 40, 2, 1, 17, Window: 5), 0f, sinks: true),
        Attention(new AttentionSizes(2, 1, 19, 4, 2, 32), 0f, sinks: true),
        Attention(new AttentionSizes(1, 3, 21, 3, 1, 33, Window: 8), 0f, sinks: true),
        Attention(new AttentionSizes(2, 9, 9, 2, 1, 16), 0.3f, sinks: true),
        .. new[]
        {
            new AttentionSizes(1, 1, 1, 1, 1, 1),
            new AttentionSizes(2, 5, 5, 2, 1, 6),
            new AttentionSizes(1, 9, 9, 4, 2, 7, Window: 5),
            new AttentionSizes(1, 70, 70, 1, 1, 3), // several tiles
            new AttentionSizes(1, 2, 2, 6, 2, 32),
            new AttentionSizes(1, 3, 3, 2, 1, 64),
            new AttentionSizes(1, 2, 2, 1, 1, 96),
            new AttentionSizes(1, 2, 2, 1, 1, 256),
        }.Select(sizes => Joined(sizes, 0f)),
        Joined(new AttentionSizes(2, 7, 7, 4, 2, 6), 0.3f),
        Joined(new AttentionSizes(2, 7, 7, 4, 2, 6), 0f, sinks: true),
        Joined(new AttentionSizes(2, 5, 5, 2, 1, 6), 0f, turned: 6),
        Joined(new AttentionSizes(2, 5, 5, 2, 1, 6), 0f, turned: 6, inPlace: true),
        Joined(new AttentionSizes(1, 9, 9, 2, 2, 7), 0f, turned: 4, interleaved: true, inPlace: true),
        Joined(new AttentionSizes(2, 7, 7, 4, 2, 8, Window: 5), 0.2f, turned: 8, start: 3, inPlace: true),
        Joined(new AttentionSizes(1, 70, 70, 1, 1, 3), 0f, turned: 2, inPlace: true),
        Joined(new AttentionSizes(1, 3, 3, 2, 1, 40), 0f, turned: 34, inPlace: true),
        Joined(new AttentionSizes(1, 3, 3, 2, 1, 64), 0f, turned: 64, start: 1, sinks: true, inPlace: true),
        Joined(new AttentionSizes(1, 2, 2, 1, 1, 96), 0f, turned: 96, interleaved: true),
        Joined(new AttentionSizes(1, 2, 2, 1, 1, 136), 0f, turned: 64, start: 2, inPlace: true), // in blocks of columns
        Joined(new AttentionSizes(1, 2, 2, 1, 1, 256), 0f, turned: 256, inPlace: true),
    ]);

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public void Attention_ChangedKey_ReachesOnlyQueriesThatSeeIt(int window)
    {
        const int T = 70, Changed = 20;
        AttentionSizes sizes = new(1, T, T, 2, 1, 16, window);
        float[][] values = Attention(sizes, 0f).Values();
        float[] before = Run(sizes, Dropout.None, values);
        for (int i = 0; i < 16; i++)
        {
            values[1][Changed * 16 + i] = 100;
            values[2][Changed * 16 + i] = float.MaxValue;
        }

        float[] after = Run(sizes, Dropout.None, values);
        for (int t = 0; t < T; t++)
        {
            bool sees = t >= Changed && (window == 0 || t < Changed + window);
            Assert.Equal(!sees, before.AsSpan(t * 32, 32).SequenceEqual(after.AsSpan(t * 32, 32)));
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(50)]
    public void Attention_OneQueryAtATime_AgreesWithWholeSequence(int window)
    {
        AttentionSizes sizes = new(1, 140, 140, 2, 1, 16, window); // several pieces
        float[][] values = Attention(sizes, 0f).Values();
        float[] whole = Run(sizes, Dropout.None, values);
        for (int t = 0; t < sizes.T; t++)
        {
            float[][] seen = [values[0][(t * 32)..((t + 1) * 32)], values[1][..((t + 1) * 16)], values[2][..((t + 1) * 16)]];
            float[] one = Run(sizes with { T = 1, S = t + 1 }, Dropout.None, seen);
            Assert.All(one, (value, i) => Assert.Equal(whole[t * 32 + i], value, 1e-5f));
        }
    }

    [Fact]
    public void Attention_DropoutOfMicroBatches_DrawsNumbersOfWholeBatch()
    {
        AttentionSizes whole = new(2, 9, 9, 2, 1, 6), part = whole with { B = 1 };
        float[][] values = Attention(whole, 0f).Values();
        Dropout dropout = new(0.4f, new RandomKey(1, RandomPurpose.AttentionDropout, Step: 3));
        float[] second = Run(part, dropout with { Key = dropout.Key with { Part = 1 } }, [.. values.Select(v => v[(v.Length / 2)..])]);
        Assert.Equal(Run(whole, dropout, values)[second.Length..], second);
    }

    [Fact]
    public void Attention_LargeScores_StaysFinite()
    {
        AttentionSizes sizes = new(1, 20, 20, 1, 1, 16);
        float[][] values = Attention(sizes, 0f).Values();
        values[0] = Array.ConvertAll(values[0], x => x * 1e4f);
        Assert.All(Run(sizes, Dropout.None, values), value => Assert.InRange(value, -1.001f, 1.001f)); // means of values in [−1, 1]
    }

    [Theory]
    [InlineData(1)]
    [InlineData(20)]
    public void Attention_ASinkFarBelow_ChangesNoBit_AndOneFarAbove_LeavesNothing(int T)
    {
        AttentionSizes sizes = new(1, T, 20, 2, 1, 16);
        float[][] values = Attention(sizes, 0f).Values();
        float[] without = Run(sizes, Dropout.None, values);
        Assert.Equal(without, Run(sizes, Dropout.None, [.. values, [-1000, float.NegativeInfinity]]));
        Assert.All(Run(sizes, Dropout.None, [.. values, [1000, 3e38f]]), value => Assert.Equal(0f, value));
        float[] half = Run(sizes, Dropout.None, [.. values, [float.NegativeInfinity, 1000]]);
        Assert.All(half, (value, i) => Assert.Equal(i / 16 % 2 == 0 ? without[i] : 0, value));
    }

    [Theory]
    [InlineData(1, 140, 140, 2, 1, 16, 0, 0f)]
    [InlineData(1, 140, 140, 2, 1, 16, 50, 0f)]
    [InlineData(2, 97, 131, 3, 1, 24, 0, 0.2f)]
    [InlineData(1, 200, 233, 4, 2, 33, 70, 0.2f)]
    [InlineData(2, 256, 256, 8, 4, 32, 0, 0f)]
    [InlineData(1, 64, 1000, 2, 2, 8, 600, 0f)]
    public void Attention_CutForManyThreads_SameBits(int B, int T, int S, int H, int kvHeads, int D, int window, float rate)
    {
        OpCase c = Attention(new(B, T, S, H, kvHeads, D, window) { ValueSize = D + 3 }, rate);
        using CpuBackend one = new(threads: 1), three = new(threads: 3);
        using CpuBackend some = new(new WorkList(16), 16), many = new(new WorkList(64), 64);
        OpRun expected = OpRun.Of(c, one);
        foreach (CpuBackend backend in new[] { three, some, many })
        {
            OpRun actual = OpRun.Of(c, backend);
            Assert.Equal(expected.Output, actual.Output);
            Assert.All(expected.Grads, (grad, i) => Assert.Equal(grad, actual.Grads[i]));
        }
    }

    [Fact]
    public void Attention_SinksOfAnotherNumberOfHeads_Throws()
    {
        AttentionSizes sizes = new(1, 2, 2, 2, 1, 4);
        float[][] values = Attention(sizes, 0f).Values();
        Assert.Throws<ArgumentException>(() => Run(sizes, Dropout.None, [.. values, [1f]]));
    }

    [Fact]
    public void Attention_SizesThatDoNotFit_Throws()
    {
        using CpuBackend backend = new(threads: 1);
        using Tape tape = backend.NewTape();
        Tensor New(int T, int H) => tape.Constant((1, T, H, 4), new float[T * H * 4]);
        Assert.Throws<ArgumentException>(() => New(3, 2).Attention(New(2, 2), New(2, 2)));
        Assert.Throws<ArgumentException>(() => New(3, 3).Attention(New(3, 2), New(3, 2)));
        Assert.Throws<ArgumentException>(() => New(3, 2).Attention(New(3, 2), New(3, 1)));
        Tensor x = New(3, 2);
        Assert.Throws<ArgumentException>(() => x.Attention(x, New(3, 2)));
    }

    private static float[] Run(AttentionSizes s, Dropout dropout, float[][] values)
    {
        using CpuBackend backend = new(threads: 2);
        using Tape tape = backend.NewTape(recording: false);
        Tensor k = tape.Constant((s.B, s.S, s.KvHeads, s.D), values[1]), v = tape.Constant(k.Shape.WithLast(s.ValueSize), values[2]);
        Tensor? sinks = values.Length > 3 ? tape.Constant(values[3].Length, values[3]) : null;
        return tape.Constant((s.B, s.T, s.H, s.D), values[0]).Attention(k, v, s.Window, dropout, sinks).ToArray();
    }

    private static OpCase Attention(AttentionSizes s, float rate, bool sinks = false)
    {
        Dropout dropout = new(rate, new RandomKey(9, RandomPurpose.AttentionDropout, Step: 2, Layer: 1, Part: 1));
        string size = s.ValueSize == s.D ? $"{s.D}" : $"{s.D} and {s.ValueSize}";
        return new(
            $"Attention B{s.B} T{s.T} S{s.S} H{s.H}/{s.KvHeads} D{size} window {s.Window} dropout {rate}{(sinks ? ", sinks" : "")}",
            [
                (s.B, s.T, s.H, s.D), (s.B, s.S, s.KvHeads, s.D), (s.B, s.S, s.KvHeads, s.ValueSize),
                .. sinks ? new Operand[] { new(s.H, Low: -1, High: 3) } : [],
            ],
            x => x[0].Attention(x[1], x[2], s.Window, dropout, sinks ? x[3] : null),
            x => Reference(s, dropout, x[0], x[1], x[2], sinks ? x[3] : null));
    }

    /// <summary>The same where one matrix has queries, keys and values of a token in its row, the former two to be turned.</summary>
    private static OpCase Joined(
        AttentionSizes s, float rate, bool sinks = false, int turned = 0, int start = 0, bool interleaved = false, bool inPlace = false)
    {
        Dropout dropout = new(rate, new RandomKey(9, RandomPurpose.AttentionDropout, Step: 2, Layer: 1, Part: 1));
        int heads = s.H + 2 * s.KvHeads;
        double[] Columns(double[] x, int from, int count) =>
            [.. x.Chunk(heads * s.D).SelectMany(row => row[(from * s.D)..((from + count) * s.D)])];
        double[] angles = RopeTests.Angles(start + s.T, turned);
        double[] Turned(double[] x, int of) => turned == 0 ? x : RopeTests.Turned(x, angles, s.T, of, s.D, start, turned, interleaved);
        string rope = turned == 0 ? "" : $", {turned} turned from {start}{(interleaved ? ", neighbours" : "")}";
        return new(
            $"Attention of joined B{s.B} T{s.T} H{s.H}/{s.KvHeads} D{s.D} window {s.Window} dropout {rate}{(sinks ? ", sinks" : "")}{rope}"
            + (inPlace ? " in place" : ""),
            [(s.B, s.T, heads, s.D), .. sinks ? new Operand[] { new(s.H, Low: -1, High: 3) } : []],
            x =>
            {
                Tape tape = x[0].Tape;
                RotaryAngles of = turned == 0 ? default
                    : new(RopeTests.Table(tape, angles, Math.Cos), RopeTests.Table(tape, angles, Math.Sin), turned, start, interleaved);
                Tensor all = inPlace ? x[0].Scale(1f) : x[0];
                return all.AttentionOfJoined(s.H, s.KvHeads, of, s.Window, dropout, sinks ? x[1] : null);
            },
            x => Reference(
                s, dropout, Turned(Columns(x[0], 0, s.H), s.H), Turned(Columns(x[0], s.H, s.KvHeads), s.KvHeads),
                Columns(x[0], s.H + s.KvHeads, s.KvHeads), sinks ? x[1] : null));
    }

    private static double[] Reference(AttentionSizes s, Dropout dropout, double[] q, double[] k, double[] v, double[]? sinks)
    {
        Philox random = new(dropout.Key);
        double[] y = new double[s.B * s.T * s.H * s.ValueSize];
        for (int row = 0; row < s.B * s.H * s.T; row++)
        {
            int b = row / (s.H * s.T), h = row / s.T % s.H, t = row % s.T, position = t + s.S - s.T;
            int head = (b * s.T + t) * s.H + h, query = head * s.D, output = head * s.ValueSize;
            int first = s.Window > 0 ? Math.Max(0, position + 1 - s.Window) : 0;
            int KeyHead(int key) => (b * s.S + key) * s.KvHeads + h / (s.H / s.KvHeads);
            double[] weights = new double[s.S];
            for (int key = first; key <= position; key++)
            {
                for (int d = 0; d < s.D; d++)
                    weights[key] += q[query + d] * k[KeyHead(key) * s.D + d];
                weights[key] = Math.Exp(weights[key] / Math.Sqrt(s.D));
            }

            double sum = weights.Sum() + (sinks is null ? 0 : Math.Exp(sinks[h]));
            for (int key = first; key <= position; key++)
            {
                long number = (long)dropout.Key.Part * s.B * s.H * s.T * s.S + (long)row * s.S + key;
                double factor = dropout.Rate == 0 ? 1 : random.Uniform(number) >= dropout.Rate ? 1.0 / (1 - dropout.Rate) : 0;
                for (int d = 0; d < s.ValueSize; d++)
                    y[output + d] += weights[key] / sum * factor * v[KeyHead(key) * s.ValueSize + d];
            }
        }

        return y;
    }
}
