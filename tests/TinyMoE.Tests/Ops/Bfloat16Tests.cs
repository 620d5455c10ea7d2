using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Memory;
using TinyMoE.Ops;
using TinyMoE.Tensors;
using Bfloat16s = TinyMoE.Memory.View<ushort>;
using Floats = TinyMoE.Memory.View<float>;

namespace TinyMoE.Tests.Ops;

/// <summary>
/// The op cases allow for one rounding to bfloat16 of the result and a few of the gradient, since a sum in double may round to the
/// neighbour of a sum in float; the tests below them compare to the bit with the float32 kernels on values that were rounded before.
/// </summary>
public sealed class Bfloat16Tests : OpTests<Bfloat16Tests>, IOpCases
{
    private const double OneRounding = 1.0 / 256, SomeRoundings = 1.0 / 24;

    public static IEnumerable<OpCase> Cases =>
    [
        .. new[] { 1, 37, 260 }.Select(n => new OpCase(
            $"RoundToBfloat16 {n}", [n], x => x[0].RoundToBfloat16(), x => Array.ConvertAll(x[0], Round),
            Smooth: x => x[0], GradientTolerance: OneRounding)),
        .. new int[][] { [5, 11, 2], [1, 0, 2], [0, 9, 0, 4] }.SelectMany(loads => new[]
        {
            Grouped("Linear", loads, (x, w, o) => x[0].GroupedLinear(w, o, x[2]), (z, _) => z),
            Grouped("Activated ReLU", loads, (x, w, o) => x[0].GroupedLinearActivated(w, o, Unary.Relu, x[2]), (z, _) => Math.Max(z, 0)),
            Grouped("Activated GELU", loads, (x, w, o) => x[0].GroupedLinearActivated(w, o, Unary.Gelu, x[2]),
                (z, _) => z * ElementwiseTests.NormalCdf(z)),
            Grouped("Gated", loads, (x, w, o) => x[0].GroupedLinearGated(x[3], w, o, x[2]),
                (z, gate) => z * gate / (1 + Math.Exp(-gate)), gated: true),
        }),
    ];

    [Theory]
    [InlineData(128, 1)]
    [InlineData(256, 1)]
    [InlineData(512, 1)]
    [InlineData(512, 3)]
    public void GroupedProducts_OfBfloat16Weights_SameBitsAsOfTheirFloats(int bits, int threads)
    {
        foreach (int[] loads in (int[][])[[0, 203, 3, 41, 0], [1, 0, 2, 0, 1], [300, 0, 0, 260, 7]])
        {
            const int E = 5, Inputs = 67, Outputs = 301;
            int unassigned = 3, N = loads.Sum() + unassigned;
            float[] x = MatMulTests.Values(N * Inputs, 1), w = MatMulTests.Values(E * Outputs * Inputs, 2);
            float[] dy = MatMulTests.Values(N * Outputs, 3);

            using GuardedAllocator allocator = new();
            using CpuBackend backend = new(threads, new MemoryPool(allocator, granularity: 2)) { Kernel = MatMulTests.Kernel(bits) };
            using Tape tape = backend.NewTape();
            View<int> offsets = tape.Ints([0, .. loads.Select((_, e) => loads.Take(e + 1).Sum())]);
            Floats xs = tape.Variable(x.Length, x).Data, dys = tape.Variable(dy.Length, dy).Data, rounded = tape.Saved(w.Length);
            Bfloat16s packed = tape.WithBfloat16(tape.Variable(w.Length, w)).Bfloat16;
            backend.Write<float>(Array.ConvertAll(w, Round), rounded);

            float[][] results = [.. ((Weights[])[rounded, packed]).SelectMany(weights =>
            {
                Floats y = tape.Saved(N * Outputs), dx = tape.Saved(N * Inputs);
                backend.GroupedMatMul(xs, weights, offsets, E, N, Inputs, Outputs, y);
                backend.GroupedMatMulBackwardInput(dys, weights, offsets, E, N, Inputs, Outputs, dx);
                return new[] { backend.Read(y), backend.Read(dx) };
            })];
            Assert.Equal(results[0], results[2]);
            Assert.Equal(results[1], results[3]);
            allocator.AssertNothingWrittenOutside();
        }
    }

    [Theory]
    [InlineData("linear")]
    [InlineData("activated")]
    [InlineData("gated")]
    public void GroupedMaps_InBfloat16_SameBitsAsFloat32OnRoundedValues(string map)
    {
        const int N = 60, Inputs = 37, Outputs = 53, E = 2;
        float[] x = MatMulTests.Values(N * Inputs, 1), w = MatMulTests.Values(E * Outputs * Inputs, 2);
        float[] bias = MatMulTests.Values(E * Outputs, 3), gate = MatMulTests.Values(N * Outputs, 4);
        float[] dy = MatMulTests.Values(N * Outputs, 5), roundedDy = Array.ConvertAll(dy, Round);
        float[] wideDy = map == "linear" ? roundedDy : dy;
        Result narrow = Run(bfloat16: true, w, dy), wide = Run(bfloat16: false, Array.ConvertAll(w, Round), wideDy);
        Assert.Equal(Array.ConvertAll(wide.Y, Round), narrow.Y);
        if (map == "linear")
        {
            Assert.Equal(wide.Dx, narrow.Dx); // of the others the gradient is rounded between the activation and the product
            Assert.Equal(wide.Dw, narrow.Dw);
            Assert.Equal(wide.Dbias, narrow.Dbias);
        }
        else if (map == "gated")
        {
            Assert.Equal(Array.ConvertAll(wide.Dgate, Round), narrow.Dgate);
        }

        Result Run(bool bfloat16, float[] w, float[] dy)
        {
            using CpuBackend backend = new(2);
            using Tape tape = backend.NewTape();
            View<int> offsets = tape.Ints([0, 23, N]);
            Tensor xs = tape.Variable((N, Inputs), x), ws = tape.Variable((E, Outputs, Inputs), w);
            Tensor biases = tape.Variable((E, Outputs), bias), gates = tape.Variable((N, Outputs), gate);
            if (bfloat16)
                ws = tape.WithBfloat16(ws);
            Tensor y = map switch
            {
                "linear" => xs.GroupedLinear(ws, offsets, biases),
                "activated" => xs.GroupedLinearActivated(ws, offsets, Unary.Silu, biases),
                _ => xs.GroupedLinearGated(gates, ws, offsets, biases),
            };
            float[] values = y.ToArray();
            tape.Backward(y, dy);
            float[] dgate = map == "gated" ? backend.Read(gates.Grad) : [];
            return new Result(values, backend.Read(xs.Grad), backend.Read(ws.Grad), backend.Read(biases.Grad), dgate);
        }
    }

    [Fact]
    public void RoundToBfloat16_Gradient_IsTheRoundedOne()
    {
        float[] dy = MatMulTests.Values(100, 1);
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        Tensor x = tape.Variable(100, MatMulTests.Values(100, 2));
        tape.Backward(x.RoundToBfloat16(), dy);
        Assert.Equal(Array.ConvertAll(dy, Round), backend.Read(x.Grad));
    }

    /// <summary>The nearest value with 8 bits of significance, found among the neighbours in double; the even one of two as near.</summary>
    internal static double Round(double x)
    {
        if (x == 0 || !double.IsFinite(x))
            return x;
        double step = Math.ScaleB(1, Math.Max(Math.ILogB(x), -126) - 7), below = Math.Floor(x / step);
        double nearest = x / step - below is var rest && rest == 0.5 ? below + Math.Abs(below % 2) : rest < 0.5 ? below : below + 1;
        return nearest * step is var y && Math.Abs(y) >= Math.ScaleB(1, 128) ? double.CopySign(double.PositiveInfinity, x) : y;
    }

    internal static float Round(float x) => (float)Round((double)x);

    /// <summary>A grouped map with weights in bfloat16: f(z, gate), z[n] = w[e]·x[n] + bias[e].</summary>
    private static OpCase Grouped(
        string name, int[] loads, Func<Tensor[], Tensor, View<int>, Tensor> op, Func<double, double, double> f, bool gated = false)
    {
        const int Inputs = 9, Outputs = 7;
        int E = loads.Length, N = loads.Sum();
        return new OpCase(
            $"Grouped {name} in bfloat16, {string.Join('+', loads)} rows",
            [(N, Inputs), (E, Outputs, Inputs), (E, Outputs), .. gated ? [(Operand)(N, Outputs)] : Array.Empty<Operand>()],
            x => op(x, x[0].Tape.WithBfloat16(x[1]), x[0].Tape.Ints([0, .. loads.Select((_, e) => loads.Take(e + 1).Sum())])),
            x => Array.ConvertAll(Value([x[0], Array.ConvertAll(x[1], Round), .. x[2..]]), Round), OneRounding, Value, SomeRoundings);

        double[] Value(double[][] x)
        {
            double[] y = new double[N * Outputs];
            for (int n = 0, e = 0, end = loads[0]; n < N; n++)
            {
                while (n >= end)
                    end += loads[++e];
                for (int o = 0; o < Outputs; o++)
                {
                    double z = x[2][e * Outputs + o];
                    for (int i = 0; i < Inputs; i++)
                        z += x[1][(e * Outputs + o) * Inputs + i] * x[0][n * Inputs + i];
                    y[n * Outputs + o] = f(z, gated ? x[3][n * Outputs + o] : 0);
                }
            }

            return y;
        }
    }

    private sealed record Result(float[] Y, float[] Dx, float[] Dw, float[] Dbias, float[] Dgate);
}
