using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

public sealed class NumbersTests : OpTests<NumbersTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases => new[] { 1, 3, 16, 37 }.SelectMany(n => new[] { Sum(n), WeightedSum(n) });

    [Fact]
    public void SumNumbers_OneTwice_AddsBothGradients()
    {
        using CpuBackend backend = new(threads: 1);
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable(1, [3]), y = ((Tensor[])[x, x]).SumNumbers([2, 5]);
        Assert.Equal(21f, y.Item());
        tape.Backward(y);
        Assert.Equal([7f], backend.Read(x.Grad));
    }

    [Fact]
    public void SumNumbers_OfTensorsOrMissingWeights_Throws()
    {
        using CpuBackend backend = new(threads: 1);
        using Tape tape = backend.NewTape();
        Tensor one = tape.Constant(1, [3]), two = tape.Constant(2, [3, 4]);
        Assert.Throws<ArgumentException>(() => ((Tensor[])[one, two]).SumNumbers());
        Assert.Throws<ArgumentException>(() => ((Tensor[])[one, one]).SumNumbers([1f]));
        Assert.Throws<ArgumentException>(() => Array.Empty<Tensor>().SumNumbers());
    }

    private static OpCase Sum(int n) => new(
        $"SumNumbers {n}", Numbers(n), x => x.SumNumbers(0.3f), x => [0.3 * x.Sum(number => number[0])]);

    private static OpCase WeightedSum(int n) => new(
        $"SumNumbers {n} weighted", Numbers(n), x => x.SumNumbers([.. x.Select((_, i) => i - 1.5f)]),
        x => [x.Select((number, i) => (i - 1.5) * number[0]).Sum()]);

    private static Operand[] Numbers(int n) => [.. Enumerable.Repeat<Operand>(1, n)];
}
