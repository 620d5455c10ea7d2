using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Memory;
using TinyMoE.Ops;
using TinyMoE.RandomNumbers;
using TinyMoE.Tensors;

namespace TinyMoE.Tests.Ops;

public sealed class MatMulTests : OpTests<MatMulTests>, IOpCases
{
    private static readonly (bool A, bool B)[] Forms = [(false, false), (false, true), (true, false), (true, true)];

    public static IEnumerable<OpCase> Cases =>
    [
        .. Forms.Select(t => MatMul(null, 7, 5, 13, t.A, t.B)),
        .. Forms.Select(t => MatMul(3, 5, 9, 4, t.A, t.B)),
        .. Forms.Select(t => MatMul(null, 1, 19, 9, t.A, t.B)),
        .. Forms.Select(t => MatMul(null, 17, 1, 3, t.A, t.B)),
        MatMul(null, 1, 1, 1, false, false),
        Linear(21, 17, 11, withBias: false),
        Linear(21, 17, 11, withBias: true),
        Linear(1, 9, 33, withBias: true),
        .. new[] { 3, 21 }.SelectMany(N => new[]
        {
            LinearThen("LinearActivated ReLU", N, 19, 35, x => x[0].LinearActivated(x[1], Unary.Relu, x[2]), (z, _) => Math.Max(z, 0)),
            LinearThen("LinearActivated GELU", N, 19, 35, x => x[0].LinearActivated(x[1], Unary.Gelu, x[2]),
                (z, _) => z * ElementwiseTests.NormalCdf(z)),
            LinearThen(
                "LinearGated", N, 19, 35, x => x[0].LinearGated(x[3], x[1], x[2]),
                (z, gate) => z * gate / (1 + Math.Exp(-gate)), gated: true),
        }),
    ];

    [Theory]
    [InlineData(128, 1)]
    [InlineData(256, 1)]
    [InlineData(512, 1)]
    [InlineData(256, 3)]
    public void MatMul_OverSeveralBlocks_AgreesWithDoubleReference(int bits, int threads)
    {
        // Several tiles, panels and blocks of the inner dimension of every kernel, and an edge on each side.
        foreach (var (batch, rows, columns, inner) in new[]
        {
            (1, 130, 70, 300), (2, 49, 97, 31), (1, 3, 517, 129), (1, 5, 33, 600),
            (1, 200, 3, 17), (1, 530, 150, 260), (1, 256, 140, 300), (1, 22, 130, 1024),
        })
        {
            (float[] a, float[] b, float[] c) =
                (Values(batch * rows * inner, 1), Values(batch * inner * columns, 2), Values(batch * rows * columns, 3));
            foreach (var (transposeA, transposeB) in Forms)
            {
                double[] expected = Product(a, b, batch, rows, columns, inner, transposeA, transposeB);
                foreach (bool adds in new[] { false, true })
                {
                    float[] actual = MatMul(bits, threads, a, b, c, batch, rows, columns, inner, transposeA, transposeB, adds);
                    AssertClose([.. expected.Select((v, i) => v + (adds ? c[i] : 0))], actual);
                }
            }
        }
    }

    [Theory]
    [InlineData(128)]
    [InlineData(256)]
    [InlineData(512)]
    public void MatMul_OnThreeThreads_SameBits(int bits)
    {
        const int Rows = 260, Columns = 150, Inner = 270;
        (float[] a, float[] b, float[] c) = (Values(Rows * Inner, 4), Values(Inner * Columns, 5), new float[Rows * Columns]);
        foreach (var (transposeA, transposeB) in Forms)
        {
            Assert.Equal(
                MatMul(bits, 1, a, b, c, 1, Rows, Columns, Inner, transposeA, transposeB, false),
                MatMul(bits, 3, a, b, c, 1, Rows, Columns, Inner, transposeA, transposeB, false));
        }
    }

    [Theory]
    [InlineData(128)]
    [InlineData(256)]
    [InlineData(512)]
    public void MatMul_CutForOtherThreadsAndCaches_SameBits(int bits)
    {
        // Rows at a distance of a power of two are packed, those of 150 columns are not; on 64 threads the blocks of the inner dimension
        // are pieces of their own. None of it changes a sum, nor does a tile's size.
        foreach (int columns in new[] { 150, 256 })
        {
            const int Rows = 512, Inner = 1024;
            (float[] a, float[] b, float[] c) = (Values(Rows * Inner, 4), Values(Inner * columns, 5), Values(Rows * columns, 6));
            foreach (var (transposeA, transposeB) in Forms)
            {
                float[] Of(int threads, Caches? caches, bool adds) =>
                    MatMul(bits, threads, a, b, c, 1, Rows, columns, Inner, transposeA, transposeB, adds, caches);
                float[] expected = Of(1, null, adds: false), added = Of(1, null, adds: true);
                Assert.Equal(expected, Of(2, null, adds: false));
                Assert.Equal(expected, Of(64, null, adds: false));
                Assert.Equal(added, Of(64, null, adds: true));
                Assert.Equal(
                    expected, Of(1, new Caches(FirstLevel: 4 * 1024 * 1024, FirstLevelWays: 64, SecondLevel: 64 * 1024), adds: false));
                Assert.Equal(expected, Of(3, new Caches(FirstLevel: 4096, FirstLevelWays: 1, SecondLevel: 16 * 1024 * 1024), adds: false));
            }
        }
    }

    [Theory]
    [InlineData(128)]
    [InlineData(256)]
    [InlineData(512)]
    public void MatMul_OfFewerRowsAndColumns_SameBits(int bits)
    {
        // Whichever panel and strip an element of c falls into, its sum has one order.
        const int Most = 130, Inner = 270;
        (float[] a, float[] b) = (Values(Most * Inner, 4), Values(Most * Inner, 5));
        float[] all = MatMul(bits, 1, a, b, new float[Most * Most], 1, Most, Most, Inner, false, true, false);
        foreach (var (rows, columns) in new[]
        {
            (9, 1), (16, 16), (17, 17), (130, 32), (50, 33), (64, 48), (65, 64), (66, 65), (128, 80),
            (99, 96), (129, 112), (130, 129),
        })
        {
            float[] some = MatMul(bits, 1, a[..(rows * Inner)], b[..(columns * Inner)], new float[rows * columns], 1, rows, columns, Inner,
                false, true, false);
            for (int r = 0; r < rows; r++)
                Assert.Equal(all.AsSpan(r * Most, columns), some.AsSpan(r * columns, columns));
        }
    }

    [Fact]
    public void MatMul_WithoutInner_StoresZeros() =>
        Assert.Equal(new float[6], MatMul(256, 1, [], [], Values(6, 6), 1, 2, 3, 0, true, false, adds: false));

    [Fact]
    public void MatMul_ShapesThatDoNotFit_Throw()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        Tensor a = tape.Variable((2, 3), new float[6]), b = tape.Variable((4, 2), new float[8]);
        Assert.Contains("MatMul", Assert.Throws<ArgumentException>(() => a.MatMul(b)).Message, StringComparison.Ordinal);
        Assert.Contains("MatMul", Assert.Throws<ArgumentException>(() => a.MatMul(b.Reshape((1, 4, 2)))).Message, StringComparison.Ordinal);
        Assert.Contains("Linear", Assert.Throws<ArgumentException>(() => a.Linear(b)).Message, StringComparison.Ordinal);
    }

    internal static void AssertClose(double[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 1e-4);
    }

    internal static MicroKernel Kernel(int bits) =>
        bits switch { 128 => MicroKernel.Bits128, 256 => MicroKernel.Bits256, _ => MicroKernel.Bits512 };

    internal static float[] Values(int count, int seed)
    {
        Philox random = new(new RandomKey(11, RandomPurpose.Other, Step: seed));
        return [.. Enumerable.Range(0, count).Select(i => 2 * random.Uniform(i) - 1)];
    }

    /// <summary>The naive product; element (r, k) of a is a[r, k], or a[k, r] when transposed.</summary>
    internal static double[] Product<T>(T[] a, T[] b, int batch, int rows, int columns, int inner, bool transposeA, bool transposeB)
        where T : IConvertible
    {
        double[] x = Array.ConvertAll(a, v => v.ToDouble(null)), w = Array.ConvertAll(b, v => v.ToDouble(null)),
            y = new double[batch * rows * columns];
        for (int i = 0; i < y.Length; i++)
        {
            int j = i % columns, r = i / columns % rows, e = i / columns / rows;
            for (int k = 0; k < inner; k++)
                y[i] += x[e * rows * inner + (transposeA ? k * rows + r : r * inner + k)] * w[e * inner * columns
                    + (transposeB ? j * inner + k : k * columns + j)];
        }

        return y;
    }

    private static float[] MatMul(
        int bits, int threads, float[] a, float[] b, float[] c, int batch, int rows, int columns, int inner, bool transposeA,
        bool transposeB, bool adds, Caches? caches = null)
    {
        using GuardedAllocator allocator = new();
        using CpuBackend backend =
            new(threads, new MemoryPool(allocator, granularity: 4)) { Kernel = Kernel(bits), Caches = caches ?? Caches.Here };
        using Tape tape = backend.NewTape();
        Tensor y = tape.Variable(c.Length, c);
        backend.MatMul(tape.Variable(a.Length, a).Data, transposeA, tape.Variable(b.Length, b).Data, transposeB, batch, rows, columns,
            inner, new Target(y.Data, adds));
        allocator.AssertNothingWrittenOutside();
        return y.ToArray();
    }

    private static OpCase MatMul(int? batch, int rows, int columns, int inner, bool transposeA, bool transposeB)
    {
        var (a, b) = (transposeA ? (inner, rows) : (rows, inner), transposeB ? (columns, inner) : (inner, columns));
        return new OpCase(
            $"MatMul {(batch is int n ? $"{n} times " : "")}{rows}x{columns}x{inner} {(transposeA ? "T" : "N")}{(transposeB ? "T" : "N")}",
            batch is int B ? [(B, a.Item1, a.Item2), (B, b.Item1, b.Item2)] : [a, b],
            x => x[0].MatMul(x[1], transposeA, transposeB),
            x => Product(x[0], x[1], batch ?? 1, rows, columns, inner, transposeA, transposeB));
    }

    /// <summary>What follows a linear map in the same pass: f(z, gate) with z = x·wᵀ + bias.</summary>
    private static OpCase LinearThen(
        string name, int N, int inputs, int outputs, Func<Tensor[], Tensor> op, Func<double, double, double> f, bool gated = false) => new(
        $"{name} {N}x{inputs} to {outputs}",
        [(1, N, inputs), (outputs, inputs), outputs, .. gated ? [(Operand)(1, N, outputs)] : Array.Empty<Operand>()],
        op,
        x => [.. Product(x[0], x[1], 1, N, outputs, inputs, false, true).Select((v, i) => f(v + x[2][i % outputs], gated ? x[3][i] : 0))]);

    private static OpCase Linear(int N, int inputs, int outputs, bool withBias) => new(
        $"Linear {N}x{inputs} to {outputs}{(withBias ? " with bias" : "")}",
        [(1, N, inputs), (outputs, inputs), .. withBias ? [(Operand)outputs] : Array.Empty<Operand>()],
        x => x[0].Linear(x[1], withBias ? x[2] : null),
        x =>
        {
            double[] y = Product(x[0], x[1], 1, N, outputs, inputs, false, true);
            return [.. y.Select((v, i) => v + (withBias ? x[2][i % outputs] : 0))];
        });
}
