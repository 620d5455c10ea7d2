using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

public sealed class SoftmaxTests : OpTests<SoftmaxTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases => new[] { (1, 1), (5, 37), (131, 8), (3, 65) }.SelectMany(size => new[]
    {
        Softmax(size.Item1, size.Item2), LogSumExp(size.Item1, size.Item2),
        CrossEntropy(size.Item1, size.Item2, masked: 0), CrossEntropy(size.Item1, size.Item2, masked: 3),
        ZLoss(size.Item1, size.Item2, masked: false), ZLoss(size.Item1, size.Item2, masked: true),
    });

    [Fact]
    public void LargeLogits_DoNotOverflow()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable((2, 3), [1000, 1000, -1000, -1e30f, float.NegativeInfinity, -1e30f]);
        Assert.Equal([0.5f, 0.5f, 0, 0.5f, 0, 0.5f], x.Softmax().ToArray());
        Assert.Equal([1000 + MathF.Log(2), -1e30f], x.LogSumExp().ToArray());
        Assert.Equal(MathF.Log(2) / 2, x.CrossEntropy(tape.Ints([0, 2])).Item(), 1e-4f);
    }

    [Fact]
    public void CrossEntropy_AllMasked_IsZeroWithZeroGradient()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable((2, 3), [1, 2, 3, 4, 5, 6]);
        Tensor loss = x.CrossEntropy(tape.Ints([-1, -100]));
        Assert.Equal(0f, loss.Item());
        tape.Backward(loss);
        Assert.Equal(new float[6], backend.Read(x.Grad));
    }

    [Fact]
    public void CrossEntropy_TargetPastTheVocabulary_Throws()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        ArgumentException error = Assert.Throws<ArgumentException>(() => tape.Variable((1, 3), [1, 2, 3]).CrossEntropy(tape.Ints([3])));
        Assert.Contains("target 3", error.Message);
    }

    [Fact]
    public void CrossEntropy_WideVocabulary_AnyThreads_SameBitsAndCloseToDouble()
    {
        const int N = 7, V = 20_011;
        Philox random = new(new RandomKey(5, RandomPurpose.Other, 0));
        float[] logits = [.. Enumerable.Range(0, N * V).Select(i => 8 * random.Uniform(i) - 4)];
        float[][] results = [.. new[] { 1, 3 }.Select(threads =>
        {
            using CpuBackend backend = new(threads);
            using Tape tape = backend.NewTape();
            Tensor x = tape.Variable((N, V), logits);
            Tensor loss = x.CrossEntropy(tape.Ints([.. Enumerable.Range(0, N).Select(n => n * 1000)]));
            float value = loss.Item();
            tape.Backward(loss);
            return (float[])[value, .. backend.Read(x.Grad)];
        })];
        Assert.Equal(results[0], results[1]);
        double expected = logits.Chunk(V).Select((row, n) => Math.Log(row.Sum(v => Math.Exp(v))) - row[n * 1000]).Average();
        Assert.Equal(expected, results[0][0], 1e-6 * expected);
    }

    private static OpCase Softmax(int N, int C) => new(
        $"Softmax {N}x{C}", [new Operand((N, C), -3, 3)], x => x[0].Softmax(),
        x => [.. x[0].Chunk(C).SelectMany(row => row.Select(v => Math.Exp(v) / row.Sum(Math.Exp)))]);

    private static OpCase LogSumExp(int N, int C) => new(
        $"LogSumExp {N}x{C}", [new Operand((N, C), -3, 3)], x => x[0].LogSumExp(),
        x => [.. x[0].Chunk(C).Select(row => Math.Log(row.Sum(Math.Exp)))]);

    private static OpCase ZLoss(int N, int E, bool masked)
    {
        float[] mask = [.. Enumerable.Range(0, N).Select(n => masked && n % 3 == 1 ? 0f : 1f)];
        return new($"ZLoss {N}x{E}{(masked ? " masked" : "")}", [new Operand((N, E), -3, 3)],
            x => x[0].ZLoss(0.3f, masked ? x[0].Tape.Constant((N, 1), mask) : null),
            x => [0.3 * x[0].Chunk(E).Zip(mask).Sum(row => row.Second * Math.Pow(Math.Log(row.First.Sum(Math.Exp)), 2))]);
    }

    /// <summary>Every <paramref name="masked"/>th row from the second on does not count; none when 0.</summary>
    private static OpCase CrossEntropy(int N, int V, int masked)
    {
        int[] targets = [.. Enumerable.Range(0, N).Select(n => masked > 0 && n % masked == 1 ? -1 : n * 7 % V)];
        return new OpCase($"CrossEntropy {N}x{V} masked {masked}", [new Operand((N, V), -3, 3)],
            x => x[0].CrossEntropy(x[0].Tape.Ints(targets)),
            x => [x[0].Chunk(V).Zip(targets).Where(row => row.Second >= 0)
                .Average(row => Math.Log(row.First.Sum(Math.Exp)) - row.First[row.Second])]);
    }
}
