using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Memory;
using TinyMoE.Ops;
using TinyMoE.Tensors;
using Floats = TinyMoE.Memory.View<float>;

namespace TinyMoE.Tests.Ops;

public sealed class GroupedTests : OpTests<GroupedTests>, IOpCases
{
    // Rows of each expert: first empty, last empty, empty between, all in
    // one, more experts than rows, fewer and more than the thin path's rows.
    private static readonly int[][] Loads = [[5, 11, 2], [0, 7, 0, 3, 0], [9, 0, 0], [0, 0, 13], [1, 0, 1, 0, 0, 1], [4, 4, 5, 1]];

    // Behind the experts' rows some unassigned ones: fewer and more than the thin path's rows in all, and with no expert's row at all.
    private static readonly (int[] Loads, int Unassigned)[] Dropped = [([5, 0, 11], 7), ([1, 2], 3), ([0, 0], 5), ([0, 9, 4], 1)];

    public static IEnumerable<OpCase> Cases =>
    [
        .. Dropped.SelectMany(d => new[]
        {
            GroupedLinear(d.Loads, inputs: 9, outputs: 7, withBias: false, d.Unassigned),
            GroupedLinear(d.Loads, inputs: 17, outputs: 19, withBias: true, d.Unassigned),
            GroupedLinearThen("GroupedLinearActivated SiLU", d.Loads, 17, 19, (x, o) =>
            x[0].GroupedLinearActivated(x[1], o, Unary.Silu, x[2]), (z, _) => z / (1 + Math.Exp(-z)), unassigned: d.Unassigned),
            GroupedLinearThen("GroupedLinearGated", d.Loads, 17, 19, (x, o) => x[0].GroupedLinearGated(x[3], x[1], o, x[2]), (z, gate) =>
            z * gate / (1 + Math.Exp(-gate)), gated: true, d.Unassigned),
            GroupedSum(d.Loads, C: 5, d.Unassigned),
        }),
        .. Loads.Select(loads => GroupedLinear(loads, inputs: 9, outputs: 7, withBias: false)),
        GroupedLinear([6, 0, 18, 1], inputs: 17, outputs: 19, withBias: true),
        GroupedLinear([1, 0, 2], inputs: 19, outputs: 5, withBias: true),
        .. new int[][] { [5, 11, 2], [1, 0, 1, 0, 0, 1] }.SelectMany(loads => new[]
        {
            GroupedLinearThen("GroupedLinearActivated ReLU", loads, 17, 19, (x, o) =>
                x[0].GroupedLinearActivated(x[1], o, Unary.Relu, x[2]), (z, _) => Math.Max(z, 0)),
            GroupedLinearThen("GroupedLinearGated", loads, 17, 19, (x, o) => x[0].GroupedLinearGated(x[3], x[1], o, x[2]), (z, gate) =>
            z * gate / (1 + Math.Exp(-gate)), gated: true),
        }),
        .. Loads.Select(loads => GroupedSum(loads, C: 5)),
        GroupedSum([3, 0, 8], C: 71),
    ];

    [Theory]
    [InlineData(128)]
    [InlineData(256)]
    [InlineData(512)]
    public void GroupedMatMul_CutForManyThreads_SameBits(int bits)
    {
        int[] loads = [300, 0, 3, 700, 120, 61];
        float[] expected = Products(threads: 1);
        foreach (int threads in new[] { 3, 9, 64 })
            Assert.Equal(expected, Products(threads));

        float[] Products(int threads)
        {
            const int E = 6, Inputs = 256, Outputs = 200;
            int N = loads.Sum();
            using GuardedAllocator allocator = new();
            using CpuBackend backend = new(threads, new MemoryPool(allocator, granularity: 4)) { Kernel = MatMulTests.Kernel(bits) };
            using Tape tape = backend.NewTape();
            Ints offsets = tape.Ints(Offsets(loads));
            Floats x = Variable(N * Inputs, 1), w = Variable(E * Outputs * Inputs, 2), dy = Variable(N * Outputs, 3);
            Floats bias = Variable(E * Outputs, 4), gate = Variable(N * Outputs, 5);
            Floats y = tape.Saved(N * Outputs), activated = tape.Saved(N * Outputs), dx = Variable(N * Inputs, 6),
                dw = Variable(E * Outputs * Inputs, 7);
            Epilogue epilogue = new() { Bias = bias, Activation = Unary.Silu, Gate = gate, Activated = activated };
            backend.GroupedMatMul(x, w, offsets, E, N, Inputs, Outputs, y, epilogue);
            backend.GroupedMatMulBackwardInput(dy, w, offsets, E, N, Inputs, Outputs, new Target(dx, Adds: true));
            backend.GroupedMatMulBackwardWeight(dy, x, offsets, E, N, Inputs, Outputs, new Target(dw, Adds: true));
            allocator.AssertNothingWrittenOutside();
            return [.. backend.Read(y), .. backend.Read(activated), .. backend.Read(dx), .. backend.Read(dw)];

            Floats Variable(int count, int seed) => tape.Variable(count, MatMulTests.Values(count, seed)).Data;
        }
    }

    [Theory]
    [InlineData(128, 1)]
    [InlineData(256, 1)]
    [InlineData(512, 1)]
    [InlineData(256, 3)]
    public void GroupedMatMul_OverSeveralTiles_AgreesWithProductOfEachExpert(int bits, int threads)
    {
        const int E = 5, Inputs = 67, Outputs = 101;
        int[] loads = [0, 203, 3, 41, 0];
        int N = loads.Sum();
        float[] x = MatMulTests.Values(N * Inputs, 1), w = MatMulTests.Values(E * Outputs * Inputs, 2),
            dy = MatMulTests.Values(N * Outputs, 3);

        using GuardedAllocator allocator = new();
        using CpuBackend backend = new(threads, new MemoryPool(allocator, granularity: 4)) { Kernel = MatMulTests.Kernel(bits) };
        using Tape tape = backend.NewTape();
        Ints offsets = tape.Ints(Offsets(loads));
        Floats xs = tape.Variable(x.Length, x).Data, ws = tape.Variable(w.Length, w).Data, dys = tape.Variable(dy.Length, dy).Data;
        Floats y = tape.Saved(N * Outputs), dx = tape.Saved(N * Inputs), dw = tape.Saved(w.Length);
        backend.GroupedMatMul(xs, ws, offsets, E, N, Inputs, Outputs, y);
        backend.GroupedMatMulBackwardInput(dys, ws, offsets, E, N, Inputs, Outputs, dx);
        backend.GroupedMatMulBackwardWeight(dys, xs, offsets, E, N, Inputs, Outputs, dw);

        allocator.AssertNothingWrittenOutside();
        MatMulTests.AssertClose(OfEachExpert(loads, x, Inputs, w, Outputs * Inputs, (xe, we, n) =>
            MatMulTests.Product(xe, we, 1, n, Outputs, Inputs, false, true)), backend.Read(y));
        MatMulTests.AssertClose(OfEachExpert(loads, dy, Outputs, w, Outputs * Inputs, (dye, we, n) =>
            MatMulTests.Product(dye, we, 1, n, Inputs, Outputs, false, false)), backend.Read(dx));
        MatMulTests.AssertClose(OfEachExpert(loads, dy, Outputs, x, 0, (dye, xe, n) =>
            MatMulTests.Product(dye, xe, 1, Outputs, Inputs, n, true, false), Inputs), backend.Read(dw));
    }

    [Fact]
    public void Products_InSteadyState_AllocateNothing()
    {
        const int E = 3, N = 96, Inputs = 64, Outputs = 64;
        using CpuBackend backend = new(2);
        using Tape tape = backend.NewTape();
        Ints offsets = tape.Ints([0, 40, 40, N]);
        Floats x = tape.Saved(N * Inputs), w = tape.Saved(E * Outputs * Inputs), y = tape.Saved(N * Outputs);
        void Step()
        {
            backend.GroupedMatMul(x, w, offsets, E, N, Inputs, Outputs, y);
            backend.GroupedMatMulBackwardInput(y, w, offsets, E, N, Inputs, Outputs, x);
            backend.GroupedMatMulBackwardWeight(y, x, offsets, E, N, Inputs, Outputs, w);
            backend.MatMul(x, true, y, false, 1, Inputs, Outputs, N, w);
        }

        Step();
        (long bytes, long misses) = (GC.GetAllocatedBytesForCurrentThread(), backend.Pool.Misses);
        Step();
        Assert.Equal((bytes, misses), (GC.GetAllocatedBytesForCurrentThread(), backend.Pool.Misses));
    }

    /// <summary>Applies <paramref name="product"/> to each expert's rows of a and its
    /// share of b: a block, or with <paramref name="bWidth"/> its rows.</summary>
    private static double[] OfEachExpert<T>(
        int[] loads, T[] a, int aWidth, T[] b, int bBlock, Func<T[], T[], int, double[]> product, int bWidth = 0)
    {
        List<double> all = [];
        for (int e = 0, start = 0; e < loads.Length; start += loads[e++])
        {
            T[] ae = a[(start * aWidth)..((start + loads[e]) * aWidth)];
            T[] be = bWidth > 0 ? b[(start * bWidth)..((start + loads[e]) * bWidth)] : b[(e * bBlock)..((e + 1) * bBlock)];
            all.AddRange(product(ae, be, loads[e]));
        }

        return [.. all];
    }

    private static int[] Offsets(int[] loads) => [0, .. loads.Select((_, e) => loads.Take(e + 1).Sum())];

    private static OpCase GroupedLinear(int[] loads, int inputs, int outputs, bool withBias, int unassigned = 0)
    {
        int E = loads.Length, N = loads.Sum() + unassigned;
        return new OpCase(
            $"GroupedLinear {Rows(loads, unassigned)} rows {inputs} to {outputs}{(withBias ? " with bias" : "")}",
            [(N, inputs), (E, outputs, inputs), .. withBias ? [(Operand)(E, outputs)] : Array.Empty<Operand>()],
            x => x[0].GroupedLinear(x[1], x[0].Tape.Ints(Offsets(loads)), withBias ? x[2] : null),
            x => [.. Linear(loads, x[0], x[1], withBias ? x[2] : new double[E * outputs], inputs, outputs),
            .. new double[unassigned * outputs]]);
    }

    /// <summary>What follows a linear map in the same pass: f(z, gate) with z[n] = w[e]·x[n] + bias[e].</summary>
    private static OpCase GroupedLinearThen(
        string name, int[] loads, int inputs, int outputs, Func<Tensor[], View<int>, Tensor> op, Func<double, double, double> f,
        bool gated = false, int unassigned = 0)
    {
        int E = loads.Length, N = loads.Sum() + unassigned;
        return new OpCase(
            $"{name} {Rows(loads, unassigned)} rows {inputs} to {outputs}",
            [(N, inputs), (E, outputs, inputs), (E, outputs), .. gated ? [(Operand)(N, outputs)] : Array.Empty<Operand>()],
            x => op(x, x[0].Tape.Ints(Offsets(loads))),
            x => [.. Linear(loads, x[0], x[1], x[2], inputs, outputs).Zip(gated ? x[3] : new double[N * outputs], f),
            .. new double[unassigned * outputs]]);
    }

    private static double[] Linear(int[] loads, double[] x, double[] w, double[] bias, int inputs, int outputs) =>
    [
        .. OfEachExpert(
            loads, x, inputs, w, outputs * inputs, (xe, we, n) => MatMulTests.Product(xe, we, 1, n, outputs, inputs, false, true))
            .Zip(OfEachExpert(loads, x, inputs, bias, outputs, (_, be, n) => [.. Enumerable.Repeat(be, n).SelectMany(v => v)]), (v, b) =>
                v + b),
    ];

    private static string Rows(int[] loads, int unassigned) =>
        string.Join('+', loads) + (unassigned > 0 ? $" and {unassigned} unassigned" : "");

    private static OpCase GroupedSum(int[] loads, int C, int unassigned = 0) => new(
        $"GroupedSum {Rows(loads, unassigned)} rows {C}", [(loads.Sum() + unassigned, C)],
        x => x[0].GroupedSum(x[0].Tape.Ints(Offsets(loads)), loads.Length),
        x => OfEachExpert(
        loads, x[0], C, x[0], 0, (xe, _, n) => [.. Enumerable.Range(0, C).Select(c => Enumerable.Range(0, n).Sum(i => xe[i * C + c]))]));
}
