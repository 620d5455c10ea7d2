using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Memory;
using TinyMoE.Ops;
using TinyMoE.Tensors;
using Bfloat16s = TinyMoE.Memory.View<ushort>;
using Floats = TinyMoE.Memory.View<float>;

namespace TinyMoE.Tests.Ops;

/// <summary>Weights that are kept in bfloat16 alone, as a frozen model's: to the
/// bit what their widened copies give, in values and in gradients.</summary>
public sealed class Bfloat16WeightsTests
{
    private const int Inputs = 67, Outputs = 34;

    [Theory]
    [InlineData(128, 1)]
    [InlineData(256, 1)]
    [InlineData(512, 3)]
    public void DenseProducts_SameBitsAsOfTheirFloats(int bits, int threads)
    {
        foreach ((int batch, int rows, int columns, int inner) in new[]
        {
            (1, 1, 301, 67), (1, 7, 5, 300), (1, 203, 130, 67),
            (3, 9, 33, 17), (2, 4, 64, 520),
        })
        {
            foreach ((bool transposeA, bool transposeB) in new[] { (false, false), (false, true), (true, false), (true, true) })
            {
                using GuardedAllocator allocator = new();
                using CpuBackend backend = new(threads, new MemoryPool(allocator, granularity: 2)) { Kernel = MatMulTests.Kernel(bits) };
                using Tape tape = backend.NewTape();
                float[] a = MatMulTests.Values(batch * rows * inner, 1), bias = MatMulTests.Values(columns, 3);
                (Floats wide, Bfloat16s narrow) = Rounded(tape, MatMulTests.Values(batch * inner * columns, 2));
                Epilogue epilogue = new() { Bias = tape.Constant(columns, bias).Data };
                float[][] results = [.. ((Weights[])[wide, narrow]).Select(weights =>
                {
                    Floats y = tape.Constant(batch * rows * columns).Data;
                    backend.MatMul(
                        tape.Constant(a.Length, a).Data, transposeA, weights, transposeB, batch, rows, columns, inner, y, epilogue);
                    return backend.Read(y);
                })];
                Assert.Equal(results[0], results[1]);
                Assert.Contains(results[0], value => value != 0f);
                allocator.AssertNothingWrittenOutside();
            }
        }
    }

    [Fact]
    public void LinearOps_ValuesAndGradients_AreThoseOfTheWidenedCopy()
    {
        foreach (Func<Tensor, Tensor, Tensor> op in (Func<Tensor, Tensor, Tensor>[])
        [
            (x, w) => x.Linear(w), (x, w) => x.LinearActivated(w, Unary.Gelu), (x, w) => x.MatMul(w, transposeB: true),
            (x, w) => x.LinearGated(x.SliceColumns(0, 1).MatMul(Row(x)), w),
        ])
        {
            foreach (int N in new[] { 3, 40 })
                AssertSame(N, (x, w, _) => op(x, w));
        }

        static Tensor Row(Tensor x) => x.Tape.Filled((1, Outputs), 0.5f);
    }

    [Fact]
    public void MatMul_AsItLies_GradientIsThatOfTheWidenedCopy() =>
        AssertSame(40, (x, w, _) => x.MatMul(w.Reshape((Inputs, Outputs))).Square());

    [Fact]
    public void Embedding_AndTiedHead_AreThoseOfTheWidenedCopy()
    {
        AssertSame(40, (x, w, tape) => tape.Embedding(w, tape.Ints([0, Outputs - 1, 4, 4])).Linear(w));
        AssertSame(2, (x, w, _) => x.Linear(w).Softmax());
    }

    [Fact]
    public void Embedding_OfManyRows_AnyThreads_IsExact()
    {
        float[][] results = [.. new[] { 1, 3 }.Select(threads =>
        {
            using CpuBackend backend = new(threads);
            using Tape tape = backend.NewTape(recording: false);
            (_, Bfloat16s narrow) = Rounded(tape, MatMulTests.Values(61 * 33, 5));
            View<int> ids = tape.Ints([.. Enumerable.Range(0, 3000).Select(n => n * n % 61)]);
            return tape.Embedding(new Frozen((61, 33), narrow), ids).ToArray();
        })];
        float[] table = Array.ConvertAll(MatMulTests.Values(61 * 33, 5), Round);
        Assert.Equal([.. Enumerable.Range(0, 3000).SelectMany(n => table.Skip(n * n % 61 * 33).Take(33))], results[0]);
        Assert.Equal(results[0], results[1]);
    }

    [Fact]
    public void AViewOfTheOtherType_Throws()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        (Floats wide, Bfloat16s narrow) = Rounded(tape, [1f, 2f]);
        Weights ofWide = wide, ofNarrow = narrow;
        Assert.Equal((ElementType.Float32, 2L, ElementType.Bfloat16, 2L), (ofWide.Type, ofWide.Count, ofNarrow.Type, ofNarrow.Count));
        Assert.Contains("Bfloat16", Assert.Throws<InvalidOperationException>(() => ofNarrow.Float32).Message, StringComparison.Ordinal);
        Assert.Throws<InvalidOperationException>(() => ofWide.Bfloat16);
        Assert.Equal(
            "A product of weights in Bfloat16 is not supported by the cpu backend.", ofNarrow.NotSupportedBy("cpu", "A product").Message);
    }

    /// <summary>The same op with the same frozen weights, once in float32
    /// and once in bfloat16 alone: values and the gradient of x.</summary>
    private static void AssertSame(int N, Func<Tensor, Tensor, Tape, Tensor> op)
    {
        float[][] results = [.. new[] { false, true }.SelectMany(isNarrow =>
        {
            using CpuBackend backend = new(2);
            using Tape tape = backend.NewTape();
            (Floats wide, Bfloat16s narrow) = Rounded(tape, MatMulTests.Values(Outputs * Inputs, 2));
            Tensor w = isNarrow ? new Frozen((Outputs, Inputs), narrow) : tape.Borrow((Outputs, Inputs), wide);
            Tensor x = tape.Variable((N, Inputs), MatMulTests.Values(N * Inputs, 1)), y = op(x, w, tape);
            float[] values = y.ToArray();
            tape.Backward(y, MatMulTests.Values(y.Count, 3));
            return new[] { values, x.HasGrad ? backend.Read(x.Grad) : [] };
        })];
        Assert.Equal(results[0], results[2]);
        Assert.Equal(results[1], results[3]);
    }

    /// <summary>These values rounded to bfloat16, as floats and in 16 bits.</summary>
    private static (Floats Wide, Bfloat16s Narrow) Rounded(Tape tape, float[] values)
    {
        Bfloat16s narrow = tape.WithBfloat16(tape.Constant(values.Length, values)).Bfloat16;
        return (tape.Constant(values.Length, Array.ConvertAll(values, Round)).Data, narrow);
    }

    private static float Round(float value) => Bfloat16.Widen(Bfloat16.Narrow(value));

    /// <summary>A tensor whose values are in bfloat16 alone.</summary>
    private sealed class Frozen(Shape shape, Bfloat16s values) : Tensor(null, shape, default, wantsGrad: false)
    {
        internal override Bfloat16s Bfloat16 => values;
    }
}
