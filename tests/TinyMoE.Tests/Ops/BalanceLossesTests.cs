using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

public sealed class BalanceLossesTests : OpTests<BalanceLossesTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases =>
    [
        .. new[] { (1, 1, 1), (1, 5, 3), (3, 7, 37), (2, 300, 8) }
            .SelectMany(s => new[] { Balance(s.Item1, s.Item2, s.Item3, false), Balance(s.Item1, s.Item2, s.Item3, true) }),
        .. new[] { 1, 5, 37, 600 }.Select(Variation),
        .. new[] { (1, 2, 1), (7, 5, 2), (9, 37, 4), (3, 300, 2), (90, 8, 7) }
            .SelectMany(s => new[] { Load(s.Item1, s.Item2, s.Item3, false), Load(s.Item1, s.Item2, s.Item3, true) }),
    ];

    [Fact]
    public void BalanceLoss_UnequalGroups_Throws()
    {
        using CpuBackend backend = new(threads: 1);
        using Tape tape = backend.NewTape();
        Assert.Throws<ArgumentException>(() => tape.Constant((5, 3)).BalanceLoss(tape.Constant((2, 3)), 1f));
    }

    [Fact]
    public void SmoothLoad_EveryExpertChosen_Throws()
    {
        using CpuBackend backend = new(threads: 1);
        using Tape tape = backend.NewTape();
        Tensor x = tape.Constant((2, 3), [1, 2, 3, 4, 5, 6]);
        Assert.Throws<ArgumentException>(() => x.SmoothLoad(x, x, K: 3));
    }

    private static OpCase Balance(int groups, int T, int E, bool masked)
    {
        float[] shares = [.. Enumerable.Range(0, groups * E).Select(i => i * 7 % 11 / 5f)], mask = Mask(groups * T, masked);
        return new($"BalanceLoss {groups}x{T}x{E}{Words(masked)}", [(groups * T, E)],
            x => x[0].BalanceLoss(x[0].Tape.Constant((groups, E), shares), 0.01f, MaskOf(x[0].Tape, mask, masked)),
            x => [0.01 * x[0].Select((p, i) => mask[i / E] * shares[i / E / T * E + i % E] * p).Sum()]);
    }

    private static OpCase Variation(int n) => new($"SquaredVariation {n}", [new Operand(n, 0.3, 2)], x => x[0].SquaredVariation(1e-3f), x =>
    {
        double mean = x[0].Average();
        return [x[0].Average(v => (v - mean) * (v - mean)) / (mean * mean + 1e-3)];
    });

    private static OpCase Load(int T, int E, int K, bool masked)
    {
        float[] mask = Mask(T, masked);
        return new($"SmoothLoad {T}x{E} best {K}{Words(masked)}", [(T, E), new Operand((T, E), -2, 2), new Operand((T, E), 0.5, 2)],
            x => x[0].SmoothLoad(x[1], x[2], K, MaskOf(x[0].Tape, mask, masked)),
            x =>
            {
                double[] load = new double[E];
                for (int t = 0; t < T; t++)
                {
                    int[] order = [.. Enumerable.Range(0, E).OrderByDescending(e => x[1][t * E + e])];
                    for (int rank = 0; rank < E; rank++)
                    {
                        int i = t * E + order[rank];
                        double threshold = x[1][t * E + order[rank < K ? K : K - 1]];
                        load[order[rank]] += mask[t] * ElementwiseTests.NormalCdf((x[0][i] - threshold) / x[2][i]);
                    }
                }

                return load;
            });
    }

    private static float[] Mask(int n, bool masked) => [.. Enumerable.Range(0, n).Select(i => masked && i % 3 == 1 ? 0f : 1f)];

    private static Tensor? MaskOf(Tape tape, float[] mask, bool masked) => masked ? tape.Constant((mask.Length, 1), mask) : null;

    private static string Words(bool masked) => masked ? " masked" : "";
}
