using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

public sealed class FeedForwardTests : OpTests<FeedForwardTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases => [SwiGlu(1, 1, 1), SwiGlu(5, 37, 1), SwiGlu(3, 64, 30)];

    [Fact]
    public void SwiGlu_HugeGate_IsZeroOrProduct()
    {
        using CpuBackend backend = new(threads: 1);
        using Tape tape = backend.NewTape();
        float[] gate = [.. Enumerable.Range(0, 20).Select(i => i % 2 == 0 ? 1e4f : -1e4f)]; // vectors and a rest
        float[] y = tape.Constant(20, gate).SwiGlu(tape.Constant(20, [.. Enumerable.Repeat(2f, 20)])).ToArray();
        Assert.All(y.Where((_, i) => i % 2 == 0), value => Assert.Equal(2e4f, value));
        Assert.All(y.Where((_, i) => i % 2 == 1), value => Assert.Equal(0f, value, 1e-30f));
    }

    [Fact]
    public void SwiGlu_NaN_StaysNaN()
    {
        using CpuBackend backend = new(threads: 1);
        using Tape tape = backend.NewTape();
        float[] gate = [.. Enumerable.Repeat(float.NaN, 17)], up = [.. Enumerable.Repeat(1f, 17)];
        Assert.All(tape.Constant(17, gate).SwiGlu(tape.Constant(17, up)).ToArray(), value => Assert.True(float.IsNaN(value)));
    }

    private static OpCase SwiGlu(int N, int C, int range) => new(
        $"SwiGlu {N}x{C} within {range}", [new((N, C), -range, range), (N, C)], x => x[0].SwiGlu(x[1]),
        x => [.. x[0].Zip(x[1], (gate, up) => gate / (1 + Math.Exp(-gate)) * up)]);
}
