using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

public sealed class FeedForwardTests : OpTests<FeedForwardTests>, IOpCases
{
    private const float Alpha = 1.702f;

    public static IEnumerable<OpCase> Cases =>
    [
        SwiGlu(1, 1, 1), SwiGlu(5, 37, 1), SwiGlu(3, 64, 30), ClampedSwiGlu(1, 1, 1, 7), ClampedSwiGlu(5, 37, 3, 1.5f),
        ClampedSwiGlu(3, 64, 30, 7),
    ];

    [Fact]
    public void ClampedSwiGlu_AtAndBeyondTheLimit_HasTheLimitsValue_AndNoGradientBeyond()
    {
        using CpuBackend backend = new(threads: 1);
        using Tape tape = backend.NewTape();
        float[] gates = [2, 2.5f, -9, 1, 1, 1, float.NaN, 1], ups = [1, 1, 1, 2, 2.5f, -3, 1, float.NaN];
        const int Times = 5;                                     // vectors and a rest
        Tensor gate = tape.Variable(8 * Times, [.. Enumerable.Repeat(gates, Times).SelectMany(g => g)]);
        Tensor up = tape.Variable(8 * Times, [.. Enumerable.Repeat(ups, Times).SelectMany(u => u)]);
        Tensor y = gate.ClampedSwiGlu(up, limit: 2, Alpha);
        float[] values = y.ToArray();
        tape.Backward(y.Sum());
        float[] byGate = backend.Read(gate.Grad), byUp = backend.Read(up.Grad);
        for (int i = 0; i < values.Length; i++)
        {
            double g = Math.Min(gates[i % 8], 2), u = Math.Clamp(ups[i % 8], -2, 2), expected = g / (1 + Math.Exp(-Alpha * g)) * (u + 1);
            Assert.Equal((float)expected, values[i], 1e-5f);
            Assert.Equal(i % 8 == 1, byGate[i] == 0f);
            Assert.Equal(i % 8 is 4 or 5, byUp[i] == 0f);
        }
    }

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

    private static OpCase ClampedSwiGlu(int N, int C, int range, float limit) => new(
        $"ClampedSwiGlu {N}x{C} within {range}", [new((N, C), -range, range), new((N, C), -range, range)],
        x => x[0].ClampedSwiGlu(x[1], limit, Alpha),
        x => [.. x[0].Zip(x[1], (gate, up) =>
        {
            double g = Math.Min(gate, limit), u = Math.Clamp(up, -limit, limit);
            return g / (1 + Math.Exp(-(double)Alpha * g)) * (u + 1);
        })]);
}
