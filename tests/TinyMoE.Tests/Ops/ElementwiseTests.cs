using TinyMoE.Backends.Cpu;
using TinyMoE.Ops;
using TinyMoE.Tensors;
using Op = TinyMoE.Ops.Ops;

namespace TinyMoE.Tests.Ops;

public sealed class ElementwiseTests : OpTests<ElementwiseTests>, IOpCases
{
    public static IEnumerable<OpCase> Cases =>
    [
        Unary("Exp", x => x.Exp(), Math.Exp),
        Unary("Log", x => x.Log(), Math.Log, low: 0.3, high: 5),
        Unary("Sqrt", x => x.Sqrt(), Math.Sqrt, low: 0.3, high: 5),
        Unary("Square", x => x.Square(), v => v * v),
        Unary("Sigmoid", x => x.Sigmoid(), v => 1 / (1 + Math.Exp(-v)), low: -9, high: 9),
        Unary("Tanh", x => x.Tanh(), Math.Tanh, low: -3, high: 3),
        Unary("Relu", x => x.Relu(), v => Math.Max(v, 0), low: 0.01),
        Unary("Relu negative", x => x.Relu(), v => Math.Max(v, 0), high: -0.01),
        Unary("Gelu", x => x.Gelu(), v => v * NormalCdf(v), low: -6, high: 6),
        Unary("Silu", x => x.Silu(), v => v / (1 + Math.Exp(-v)), low: -6, high: 6),
        Unary("Softplus", x => x.Softplus(), v => Math.Log(1 + Math.Exp(v)), low: -9, high: 9),
        Unary("NormalCdf", x => x.NormalCdf(), NormalCdf, low: -6, high: 6),
        Unary("Clamp within", x => x.Clamp(-1, 1.5f), v => v, low: -0.99, high: 1.49),
        Unary("Clamp below", x => x.Clamp(-1, 1.5f), _ => -1, low: -4, high: -1.01),
        Unary("Clamp above", x => x.Clamp(-1, 1.5f), _ => 1.5, low: 1.51, high: 4),
        Scale(1), Scale(37), Mask(5, 37, columns: 1), Mask(3, 4, columns: 4),
        .. new[] { (1, 1), (5, 37), (3, 64), (301, 2) }.SelectMany(size => Binaries(size.Item1, size.Item2)),
    ];

    [Fact]
    public void Extremes_OverflowOrSaturateAsTheyShould()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape(recording: false);
        Tensor x = tape.Constant(6, [float.PositiveInfinity, float.NegativeInfinity, float.NaN, 90, -110, -95]);
        Assert.Equal([float.PositiveInfinity, 0, float.NaN, float.PositiveInfinity, 0, MathF.Exp(-95)], x.Exp().ToArray());
        Assert.Equal([1, 0, float.NaN, 1, 0, 0], x.Sigmoid().ToArray().Select(v => v < 1e-37f ? 0 : v));
        Assert.Equal([1, -1, float.NaN, 1, -1, -1], x.Tanh().ToArray());
        Assert.Equal([float.PositiveInfinity, 0, float.NaN, 90, 0, MathF.Exp(-95)], x.Softplus().ToArray());
        Assert.Equal([1, 0, float.NaN, 1, 0, 0], x.NormalCdf().ToArray());
    }

    [Fact]
    public void Clamp_KeepsBounds_NaN_AndTheirGradients()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable(
            7, [-2, 2, MathF.BitDecrement(-2), MathF.BitIncrement(2), float.NaN, float.NegativeInfinity, float.PositiveInfinity]);
        Tensor y = x.Clamp(-2, 2);
        Assert.Equal([-2, 2, -2, 2, float.NaN, -2, 2], y.ToArray());
        tape.Backward(y, [1, 2, 3, 4, 5, 6, 7]);
        Assert.Equal([1, 2, 0, 0, 5, 0, 0], backend.Read(x.Grad));
        Assert.Contains("Clamp", Assert.Throws<ArgumentException>(() => x.Clamp(1, -1)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Mask_KeepsTheBits_AndHidesBelowEverything()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable((2, 3), [0.1f, -7f, 3e8f, 0.1f, -7f, 3e8f]), y = x.Mask(tape.Constant((2, 1), [1f, 0f]));
        Assert.Equal([0.1f, -7f, 3e8f, -Op.FarBelow, -Op.FarBelow, -Op.FarBelow], y.ToArray());
        Assert.Equal([1 / 3f, 1 / 3f, 1 / 3f], y.Softmax().ToArray()[3..]);
        Assert.Contains("Mask", Assert.Throws<ArgumentException>(() => x.Mask(tape.Constant((3, 1)))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Add_ShapesThatDoNotFit_NamesBoth()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        Tensor a = tape.Constant((2, 3)), b = tape.Constant((3, 1));
        ArgumentException error = Assert.Throws<ArgumentException>(() => a.Add(b));
        Assert.Contains("Add", error.Message);
        Assert.Contains("(2, 3)", error.Message);
        Assert.Contains("(3, 1)", error.Message);
    }

    [Fact]
    public void LargeInputs_AnyThreads_SameBits()
    {
        float[][] results = [.. new[] { 1, 3 }.Select(threads =>
        {
            using CpuBackend backend = new(threads);
            using Tape tape = backend.NewTape();
            Tensor x = tape.Constant((1500, 67), [.. Enumerable.Range(0, 1500 * 67).Select(i => i % 1009 / 500f - 1)]),
                w = tape.Variable(67, [.. Enumerable.Range(0, 67).Select(i => 1f + i)]);
            Tensor column = tape.Variable((1500, 1), [.. Enumerable.Range(0, 1500).Select(i => 1f + i % 7)]);
            Tensor y = x.Multiply(w).Gelu().Divide(column).Add(x).Mean();
            float[] value = y.ToArray();
            tape.Backward(y);
            return (float[])[.. value, .. backend.Read(w.Grad), .. backend.Read(column.Grad)];
        })];
        Assert.Equal(results[0], results[1]);
    }

    /// <summary>Φ(x): the series of Φ about 0 near it, the continued fraction of the tail beyond.</summary>
    internal static double NormalCdf(double x)
    {
        double density = Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI), t = Math.Abs(x);
        if (t < 3)
        {
            double term = x, sum = x;
            for (int i = 3; Math.Abs(term) > 1e-18; i += 2)
                sum += term *= x * x / i;
            return 0.5 + density * sum;
        }

        double fraction = t;
        for (int i = 200; i >= 1; i--)
            fraction = t + i / fraction;
        return x < 0 ? density / fraction : 1 - density / fraction;
    }

    private static OpCase Unary(string name, Func<Tensor, Tensor> op, Func<double, double> f, double low = -1, double high = 1) =>
        new($"{name} 7x13", [new Operand((7, 13), low, high)], x => op(x[0]), x => Array.ConvertAll(x[0], v => f(v)));

    private static OpCase Scale(int n) => new($"Scale {n}", [n], x => x[0].Scale(-0.7f), x => Array.ConvertAll(x[0], v => -0.7f * v));

    /// <summary>Every third row, or every third value where there is one to each, is lowered by 2.</summary>
    private static OpCase Mask(int N, int C, int columns) => new(
        $"Mask {N}x{C} by {columns}", [(N, C)],
        x => x[0].Mask(
        x[0].Tape.Constant((N, columns), [.. Enumerable.Range(0, N * columns).Select(i => i % 3 == 1 ? 0f : 1.25f)]), 2f, 1.25f),
        x => [.. x[0].Select((v, i) => (columns == 1 ? i / C : i) % 3 == 1 ? v - 2 : v)]);

    private static IEnumerable<OpCase> Binaries(int N, int C)
    {
        foreach ((string kind, Operand b, Func<int, int> index) in new (string, Operand, Func<int, int>)[]
        {
            ("", new Operand((N, C), 0.5, 2), i => i),
            (" row", new Operand(C, 0.5, 2), i => i % C),
            (" column", new Operand((N, 1), 0.5, 2), i => i / C),
        })
        {
            if (N > 300 && kind.Length == 0)
                continue;
            yield return Binary($"Add{kind}", (x, y) => x.Add(y), (x, y) => x + y);
            yield return Binary($"Subtract{kind}", (x, y) => x.Subtract(y), (x, y) => x - y);
            yield return Binary($"Multiply{kind}", (x, y) => x.Multiply(y), (x, y) => x * y);
            yield return Binary($"Divide{kind}", (x, y) => x.Divide(y), (x, y) => x / y);

            OpCase Binary(string name, Func<Tensor, Tensor, Tensor> op, Func<double, double, double> f) => new(
                $"{name} {N}x{C}", [(N, C), b], x => op(x[0], x[1]), x => [.. x[0].Select((a, i) => f(a, x[1][index(i)]))]);
        }
    }
}
