using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

public sealed class RandomTests : OpTests<RandomTests>, IOpCases
{
    private static readonly RandomKey Key = new(11, RandomPurpose.Other, Step: 2, Layer: 1);

    public static IEnumerable<OpCase> Cases =>
    [
        Dropout(1, 0.5f, part: 0), Dropout(37, 0.3f, part: 0), Dropout(37, 0.9f, part: 3), Dropout(1500, 0.1f, part: 1),
        Jitter(1, part: 0), Jitter(37, part: 3), Jitter(1500, part: 1),
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(37)]
    [InlineData(34_567)]
    public void Fills_AnyThreadsAndParts_AreTheScalarNumbers(int n)
    {
        Philox random = new(Key);
        foreach (int threads in new[] { 1, 3 })
        {
            using CpuBackend backend = new(threads);
            using Tape tape = backend.NewTape();
            for (int part = 0; part < 3; part++)
            {
                RandomKey key = Key with { Part = part };
                Assert.Equal(Enumerable.Range(0, n).Select(i => random.Uniform((long)part * n + i)), tape.Uniform(n, key).ToArray());
                Assert.Equal(Enumerable.Range(0, n).Select(i => random.Normal((long)part * n + i)), tape.Normal(n, key).ToArray());
            }
        }
    }

    [Fact]
    public void Parts_OfOneStream_AreTheWhole()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        float[] whole = tape.Normal(74, Key).ToArray();
        Assert.Equal(whole[..37], tape.Normal(37, Key).ToArray());
        Assert.Equal(whole[37..], tape.Normal(37, Key with { Part = 1 }).ToArray());
    }

    [Fact]
    public void Dropout_RateZero_IsTheTensorItself()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable(3, [1, 2, 3]);
        Assert.Same(x, x.Dropout(TinyMoE.Backends.Dropout.None));
        Assert.Throws<ArgumentException>(() => x.Dropout(new Dropout(1f, Key)));
    }

    [Fact]
    public void Dropout_ManyPieces_DropsTheShareAndAgreesOnAllThreads()
    {
        float[][] results = [.. new[] { 1, 3 }.Select(threads =>
        {
            using CpuBackend backend = new(threads);
            using Tape tape = backend.NewTape();
            return tape.Constant(100_003, [.. Enumerable.Repeat(1f, 100_003)]).Dropout(new Dropout(0.2f, Key)).ToArray();
        })];
        Assert.Equal(results[0], results[1]);
        Assert.Equal(0.2, results[0].Count(v => v == 0) / 100_003.0, 0.005);
        Assert.All(results[0], v => Assert.True(v is 0f or 1.25f));
    }

    private static OpCase Jitter(int n, int part)
    {
        Philox random = new(Key with { Part = part });
        return new($"Jitter {n} part {part}", [n], x => x[0].Jitter(0.1f, Key with { Part = part }),
            x => [.. x[0].Select((v, i) => v * (0.9 + 0.2 * random.Uniform((long)part * n + i)))]);
    }

    private static OpCase Dropout(int n, float rate, int part)
    {
        Dropout dropout = new(rate, Key with { Part = part });
        Philox random = new(Key);
        return new OpCase($"Dropout {n} rate {rate} part {part}", [n], x => x[0].Dropout(dropout),
            x => [.. x[0].Select((v, i) => random.Uniform((long)part * n + i) >= rate ? v / (1 - (double)rate) : 0)]);
    }
}
