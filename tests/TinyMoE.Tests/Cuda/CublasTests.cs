using TinyMoE.Backends;
using TinyMoE.Backends.Cases;
using TinyMoE.Backends.Cpu;
using TinyMoE.Cuda;
using TinyMoE.Memory;
using Floats = TinyMoE.Memory.View<float>;

namespace TinyMoE.Tests.Cuda;

/// <summary>
/// The table of cuBLAS beside the CPU: every product of the contract in every transpose form, at sizes
/// that fit nothing, alone and in batches, of experts with and without rows, with and without cuBLAS's
/// grouped product, stored and added, with weights in both precisions and with each epilogue.
/// </summary>
[Collection(CudaCollection.Name)]
public sealed class CublasTests
{
    private const double Tolerance = 1e-5;

    // each way to multiply for experts
    private static readonly Dictionary<GroupedProducts, CudaBackend> Others = [];

    /// <summary>Rows, columns, inner, batch.</summary>
    public static TheoryData<int, int, int, int> DenseSizes => new()
    {
        { 1, 1, 1, 1 },
        { 1, 64, 33, 1 },   // one row, as in generation
        { 65, 1, 7, 1 },    // one column
        { 37, 53, 1, 1 },   // an outer product
        { 128, 64, 32, 1 },
        { 130, 67, 91, 1 },
        { 7, 11, 13, 5 },
        { 33, 5, 17, 3 },
        { 9, 10, 0, 2 },    // a sum over nothing
        { 0, 10, 3, 1 },    // nothing at all
    };

    /// <summary>Rows of each expert, and unassigned ones behind them; inputs, outputs.</summary>
    public static TheoryData<string, int, int, int> Plans => new()
    {
        { "4 4 4 4", 0, 8, 16 },
        { "3 0 11 1 0", 0, 37, 23 },  // experts without rows
        { "0 0 5", 6, 9, 4 },         // unassigned rows
        { "0 0 0", 7, 9, 4 },         // unassigned rows only
        { "21", 0, 7, 5 },            // one expert
        { "0 64 0 0 33 2 70 1", 3, 65, 67 },
        { "2 3", 1, 0, 4 },           // a sum over nothing
    };

    [CudaTheory]
    [MemberData(nameof(DenseSizes))]
    public void MatMul_InEveryForm_AgreesWithCpu(int rows, int columns, int inner, int batch)
    {
        foreach ((bool transposeA, bool transposeB, bool adds) in Flags())
        {
            AssertAgrees($"{(transposeA ? 'T' : 'N')}{(transposeB ? 'T' : 'N')}{(adds ? " added" : "")}", (b, d) =>
                b.MatMul(d.In(batch * rows * inner), transposeA, d.In(batch * inner * columns), transposeB, batch, rows, columns, inner,
                    Out(d, batch * rows * columns, adds)));
        }
    }

    [CudaTheory]
    [MemberData(nameof(DenseSizes))]
    public void MatMul_WithEveryEpilogue_AgreesWithCpu(int rows, int columns, int inner, int batch)
    {
        foreach (Tail tail in Tail.All)
        {
            AssertAgrees($"{tail}", (b, d) =>
            {
                int n = batch * rows * columns;
                Floats c = d.Out(n);
                Epilogue epilogue = tail.On(d, c, columns, n);
                b.MatMul(d.In(batch * rows * inner), false, d.In(batch * inner * columns), true, batch, rows, columns, inner, c, epilogue);
            }, tail.Tolerance);
        }
    }

    [CudaTheory]
    [MemberData(nameof(Plans))]
    public void GroupedProducts_AgreeWithCpu(string rows, int unassigned, int inputs, int outputs)
    {
        (int[] offsets, int E, int N) = Plan(rows, unassigned);
        foreach (bool adds in new[] { false, true })
        {
            foreach (ElementType precision in Enum.GetValues<ElementType>())
            {
                AssertAgrees($"GroupedMatMul {precision} {adds}", (b, d) =>
                    b.GroupedMatMul(d.In(N * inputs), W(b, d, precision, E * outputs * inputs), d.In(offsets), E, N, inputs, outputs,
                        Out(d, N * outputs, adds)));
                AssertAgrees($"GroupedMatMulBackwardInput {precision} {adds}", (b, d) =>
                    b.GroupedMatMulBackwardInput(d.In(N * outputs), W(b, d, precision, E * outputs * inputs), d.In(offsets), E, N, inputs,
                        outputs, Out(d, N * inputs, adds)));
            }

            AssertAgrees($"GroupedMatMulBackwardWeight {adds}", (b, d) =>
                b.GroupedMatMulBackwardWeight(
                    d.In(N * outputs), d.In(N * inputs), d.In(offsets), E, N, inputs, outputs, Out(d, E * outputs * inputs, adds)));
            AssertAgrees(
                $"GroupedSum {adds}", (b, d) => b.GroupedSum(d.In(N * outputs), d.In(offsets), E, N, outputs, Out(d, E * outputs, adds)));
            AssertAgrees($"GroupedBroadcast {adds}", (b, d) =>
                b.GroupedBroadcast(d.In(E * outputs), d.In(offsets), E, N, outputs, Out(d, N * outputs, adds)), tolerance: 0);
        }
    }

    [CudaTheory]
    [MemberData(nameof(Plans))]
    public void GroupedMatMul_WithEveryEpilogue_AgreesWithCpu(string rows, int unassigned, int inputs, int outputs)
    {
        (int[] offsets, int E, int N) = Plan(rows, unassigned);
        foreach (Tail tail in Tail.All)
        {
            AssertAgrees($"{tail}", (b, d) =>
            {
                Floats y = d.Out(N * outputs);
                Epilogue epilogue = tail.On(d, y, E * outputs, N * outputs);
                b.GroupedMatMul(d.In(N * inputs), d.In(E * outputs * inputs), d.In(offsets), E, N, inputs, outputs, y, epilogue);
            }, tail.Tolerance);
        }
    }

    [CudaFact]
    public void MatMul_InTf32_AgreesToItsPrecision()
    {
        using CpuBackend cpu = new(1);
        using CudaBackend cuda = TestDevice.NewBackend("", new CudaOptions { TensorCores = TensorCores.Tf32 });
        KernelCase c =
            new("cuBLAS", "MatMul", (b, d) => b.MatMul(d.In(33 * 40), false, d.In(40 * 17), false, 1, 33, 17, 40, d.Out(33 * 17)));
        Assert.InRange(c.ErrorOn(cuda, cpu), 0, 1e-2);
    }

    [CudaFact]
    public void Targets_ThatNobodyWants_AreSkipped()
    {
        CudaBackend cuda = TestDevice.SharedBackend("");
        using KernelData d = new(cuda);
        Floats x = d.In(12);
        Ints offsets = d.In([0, 2, 3]);
        cuda.MatMul(x, false, x, false, 1, 3, 3, 4, Target.None);
        cuda.GroupedMatMul(x, x, offsets, 2, 3, 2, 2, Target.None);
        cuda.GroupedMatMulBackwardInput(x, x, offsets, 2, 3, 2, 2, Target.None);
        cuda.GroupedMatMulBackwardWeight(x, x, offsets, 2, 3, 2, 2, Target.None);
        cuda.GroupedSum(x, offsets, 2, 3, 2, Target.None);
        cuda.GroupedBroadcast(x, offsets, 2, 3, 2, Target.None);
        cuda.Synchronize();
        TestDevice.RequireNoFinding();
    }

    /// <summary>On tensor cores the other operand is rounded to bfloat16 too:
    /// the CPU's product of rounded operands is the reference.</summary>
    [CudaFact]
    public void GroupedMatMul_OnTensorCores_IsTheProductOfRoundedOperands()
    {
        using CpuBackend cpu = new(1);
        using CudaBackend cuda = TestDevice.NewBackend("", new CudaOptions { TensorCores = TensorCores.Bfloat16 });
        (int[] offsets, int E, int N) = Plan("3 0 11 1 0", 2);
        const int Inputs = 37, Outputs = 23;
        using KernelData expected = new(cpu), actual = new(cuda);
        Run(cpu, expected);
        Run(cuda, actual);
        Assert.InRange(actual.ErrorBeside(expected), 0, Tolerance);

        void Run(Backend b, KernelData d)
        {
            Floats x = d.In(N * Inputs), dy = d.In(N * Outputs);
            b.RoundToBfloat16(x, N * Inputs, x);
            b.RoundToBfloat16(dy, N * Outputs, dy);
            Weights w = W(b, d, ElementType.Bfloat16, E * Outputs * Inputs);
            b.GroupedMatMul(x, w, d.In(offsets), E, N, Inputs, Outputs, d.Out(N * Outputs));
            b.GroupedMatMulBackwardInput(dy, w, d.In(offsets), E, N, Inputs, Outputs, d.Added(N * Inputs));
        }
    }

    [EmulatedFact]
    public void GroupedMatMul_OfACublasWithoutGroupedProducts_GoesOneByOne() => Assert.Equal((4, 4), ProductsOfTwo("no_grouped"));

    [EmulatedFact]
    public void GroupedMatMul_WhereTheFirstCallFails_GoesOneByOne() => Assert.Equal((4, 4), ProductsOfTwo("fail_grouped=1"));

    [EmulatedFact]
    public void GroupedMatMul_WhereALaterCallFails_SaysSo()
    {
        TinyMoEException error = Assert.ThrowsAny<TinyMoEException>(() => ProductsOfTwo("fail_grouped=2"));
        Assert.Contains("CUBLAS_STATUS_INTERNAL_ERROR", error.Message, StringComparison.Ordinal);
    }

    /// <summary>cuBLAS wants grouped products in TF32 to begin at multiples of 16 bytes: rows of 4 or 8 numbers do, of 6 do not.</summary>
    [EmulatedTheory]
    [InlineData(TensorCores.Off, GroupedProducts.Cublas, 4, 6, 1)]
    [InlineData(TensorCores.Tf32, GroupedProducts.Cublas, 4, 8, 1)]
    [InlineData(TensorCores.Tf32, GroupedProducts.Cublas, 4, 6, 4)]
    [InlineData(TensorCores.Tf32, GroupedProducts.Cublas, 6, 4, 4)]
    [InlineData(TensorCores.Off, GroupedProducts.Loop, 4, 8, 4)]
    [InlineData(TensorCores.Off, GroupedProducts.Auto, 4, 6, 0)]
    [InlineData(TensorCores.Tf32, GroupedProducts.Auto, 4, 6, 0)]
    public void GroupedMatMul_GoesOneByOne_WhereAskedOrNotAligned(
        TensorCores tensorCores, GroupedProducts grouped, int inputs, int outputs, int products)
    {
        CudaOptions options = new() { TensorCores = tensorCores, Grouped = grouped };
        Assert.Equal((products, products), ProductsOfTwo("", options, inputs, outputs));
    }

    /// <summary>Calls of cuBLAS for two products of four experts each, whose first rows are 0, 3, 4 and 15.</summary>
    private static (int First, int Second) ProductsOfTwo(string settings, CudaOptions? options = null, int inputs = 4, int outputs = 8)
    {
        using CudaBackend cuda = TestDevice.NewBackend(settings, options ?? new CudaOptions { Grouped = GroupedProducts.Cublas });
        (int[] offsets, int E, int N) = Plan("3 1 11 2", 1);
        using KernelData d = new(cuda);
        Floats x = d.In(N * inputs), w = d.In(E * inputs * outputs), y = d.Out(N * outputs);
        Ints on = d.In(offsets);
        int[] marks = [Emulator.Products, 0, 0];
        for (int i = 1; i < marks.Length; i++)
        {
            cuda.GroupedMatMul(x, w, on, E, N, inputs, outputs, y);
            marks[i] = Emulator.Products;
        }

        TestDevice.RequireNoFinding();
        return (marks[1] - marks[0], marks[2] - marks[1]);
    }

    /// <summary>The case on the device, with experts' products in one call, in one each, and by our own kernels.</summary>
    private static void AssertAgrees(string name, Action<Backend, KernelData> run, double tolerance = Tolerance)
    {
        KernelCase c = new("cuBLAS", name, run, tolerance);
        using CpuBackend cpu = new(1);
        foreach (GroupedProducts grouped in new[] { GroupedProducts.Cublas, GroupedProducts.Loop, GroupedProducts.Own })
        {
            double error = c.ErrorOn(BackendWith(grouped), cpu);
            Assert.True(error <= tolerance, $"{name} ({grouped}): {error}");
            TestDevice.RequireNoFinding();
        }
    }

    private static CudaBackend BackendWith(GroupedProducts grouped) =>
        TestDevice.Kept(Others, grouped, () => TestDevice.NewBackend("", new CudaOptions { Grouped = grouped }));

    private static IEnumerable<(bool TransposeA, bool TransposeB, bool Adds)> Flags() =>
        from a in new[] { false, true } from b in new[] { false, true } from adds in new[] { false, true } select (a, b, adds);

    private static Target Out(KernelData d, int n, bool adds) => adds ? d.Added(n) : d.Out(n);

    /// <summary>Random weights in a precision.</summary>
    private static Weights W(Backend backend, KernelData d, ElementType precision, int n)
    {
        Floats values = d.In(n);
        if (precision == ElementType.Float32)
            return values;
        View<ushort> packed = d.Rent<ushort>(n);
        ushort[] bits = [.. backend.Read(values).Select(v => precision == ElementType.Float16
            ? BitConverter.HalfToUInt16Bits((Half)v) : (ushort)(BitConverter.SingleToUInt32Bits(v) >> 16))];
        backend.Write<ushort>(bits, packed);
        return Weights.Of(precision, packed);
    }

    private static (int[] Offsets, int E, int N) Plan(string rows, int unassigned)
    {
        int[] counts = [.. rows.Split(' ').Select(int.Parse)];
        int[] offsets = new int[counts.Length + 1];
        for (int e = 0; e < counts.Length; e++)
            offsets[e + 1] = offsets[e] + counts[e];
        return (offsets, counts.Length, offsets[^1] + unassigned);
    }

    /// <summary>One epilogue: which of its parts are there.</summary>
    private sealed record Tail(bool Bias, Unary? Activation, bool Gate, bool InPlace, ElementType Precision)
    {
        public static IEnumerable<Tail> All =>
        [
            new(Bias: true, null, Gate: false, InPlace: false, ElementType.Float32),
            new(Bias: false, null, Gate: false, InPlace: false, ElementType.Bfloat16),
            new(Bias: true, null, Gate: false, InPlace: false, ElementType.Bfloat16),
            new(Bias: false, Unary.Relu, Gate: false, InPlace: false, ElementType.Float32),
            new(Bias: true, Unary.Gelu, Gate: false, InPlace: false, ElementType.Float32),
            new(Bias: true, Unary.Silu, Gate: false, InPlace: true, ElementType.Float32),
            new(Bias: false, null, Gate: true, InPlace: false, ElementType.Float32),
            new(Bias: true, null, Gate: true, InPlace: true, ElementType.Bfloat16),
        ];

        /// <summary>Where it rounds, sums of another order may round to the neighbour.</summary>
        public double Tolerance => Precision == ElementType.Bfloat16 ? 1.0 / 128 : CublasTests.Tolerance;

        /// <summary>The epilogue with random operands.</summary>
        public Epilogue On(KernelData d, Floats c, int biases, int n) => new()
        {
            Bias = Bias ? d.In(biases) : default,
            Activation = Activation ?? Unary.Relu,
            Gate = Gate ? d.In(n) : default,
            Activated = Activation is null && !Gate ? default : InPlace ? c : d.Out(n),
            Precision = Precision,
        };
    }
}
