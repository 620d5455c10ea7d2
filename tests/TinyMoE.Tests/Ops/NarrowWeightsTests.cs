using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Memory;
using TinyMoE.Ops;
using TinyMoE.Tensors;
using Floats = TinyMoE.Memory.View<float>;

namespace TinyMoE.Tests.Ops;

/// <summary>
/// Weights in 16 bits, together or each matrix of a stack for itself: to the bit what their widened copies give, in values and in the
/// gradient of what they are multiplied with.
/// </summary>
public sealed class NarrowWeightsTests
{
    private const int E = 5;

    [Theory]
    [InlineData(128, 1)]
    [InlineData(256, 2)]
    [InlineData(512, 3)]
    public void DenseProducts_OfFloat16_SameBitsAsOfTheirFloats(int bits, int threads)
    {
        foreach ((int batch, int rows, int columns, int inner) in new[]
        {
            (1, 1, 301, 67), (1, 1, 64, 2048), (1, 7, 5, 300), (1, 203, 130, 67), (3, 9, 33, 17),
        })
        {
            foreach ((bool transposeA, bool transposeB) in new[] { (false, false), (false, true), (true, false), (true, true) })
            {
                using GuardedAllocator allocator = new();
                using CpuBackend backend = new(threads, new MemoryPool(allocator, granularity: 2)) { Kernel = MatMulTests.Kernel(bits) };
                using Tape tape = backend.NewTape();
                Floats a = tape.Constant(batch * rows * inner, MatMulTests.Values(batch * rows * inner, 1)).Data;
                using Stored stored = new(backend, ElementType.Float16, 1, batch * inner * columns);
                float[][] results = [.. ((Weights[])[stored.Wide, stored.Together]).Select(weights =>
                {
                    Floats y = tape.Constant(batch * rows * columns).Data;
                    backend.MatMul(a, transposeA, weights, transposeB, batch, rows, columns, inner, y);
                    return backend.Read(y);
                })];
                Assert.Equal(results[0], results[1]);
                Assert.Contains(results[0], value => value != 0f);
                allocator.AssertNothingWrittenOutside();
            }
        }
    }

    [Theory]
    [InlineData(ElementType.Float32, 512)]
    [InlineData(ElementType.Bfloat16, 512)]
    [InlineData(ElementType.Float16, 512)]
    [InlineData(ElementType.Float16, 256)]
    [InlineData(ElementType.Float16, 128)]
    public void GroupedProducts_TogetherOrApart_SameBitsAsOfTheirFloats(ElementType type, int bits)
    {
        foreach ((int[] counts, int inputs, int outputs) in new[]
        {
            ((int[])[0, 1, 0, 1, 0], 64, 96), ([3, 0, 2, 1, 1], 67, 33), ([40, 0, 17, 90, 3], 67, 130),
        })
        {
            int[] first = [0, .. counts.Select((_, e) => counts[..(e + 1)].Sum())];
            int N = first[^1] + 1;                               // one row is unassigned
            using CpuBackend backend = new(2) { Kernel = MatMulTests.Kernel(bits) };
            using Tape tape = backend.NewTape();
            using Stored stored = new(backend, type, E, outputs * inputs);
            Ints offsets = tape.Ints(first);
            Floats x = tape.Constant(N * inputs, MatMulTests.Values(N * inputs, 1)).Data;
            Floats dy = tape.Constant(N * outputs, MatMulTests.Values(N * outputs, 2)).Data;
            float[][] results = [.. ((Weights[])[stored.Wide, stored.Together, stored.Apart]).Select(weights =>
            {
                Floats y = tape.Constant(N * outputs).Data, dx = tape.Constant(N * inputs).Data;
                backend.GroupedMatMul(x, weights, offsets, E, N, inputs, outputs, y);
                backend.GroupedMatMulBackwardInput(dy, weights, offsets, E, N, inputs, outputs, dx);
                return (float[])[.. backend.Read(y), .. backend.Read(dx)];
            })];
            Assert.Equal(results[0], results[1]);
            Assert.Equal(results[0], results[2]);
            Assert.Contains(results[0], value => value != 0f);
        }
    }

    [Fact]
    public void Embedding_OfFloat16_IsExact()
    {
        using CpuBackend backend = new(2);
        using Tape tape = backend.NewTape(recording: false);
        using Stored table = new(backend, ElementType.Float16, 1, 61 * 33);
        Floats y = tape.Constant(4 * 33).Data;
        backend.EmbeddingForward(table.Together, tape.Ints([0, 60, 7, 7]), 4, 61, 33, y);
        float[] wide = backend.Read(table.Wide);
        Assert.Equal([.. ((int[])[0, 60, 7, 7]).SelectMany(id => wide.Skip(id * 33).Take(33))], backend.Read(y));
    }

    [Fact]
    public void AStack_IsReadByGroupedProductsAlone()
    {
        using CpuBackend backend = new(1);
        using Tape tape = backend.NewTape();
        using Stored stored = new(backend, ElementType.Float16, E, 6);
        Floats y = tape.Constant(12).Data;
        Assert.True(stored.Apart.LieApart && !stored.Together.LieApart && !stored.Apart.IsNone);
        Assert.Equal((30, ElementType.Float16), (stored.Apart.Count, stored.Apart.Type));
        Assert.Throws<InvalidOperationException>(() => stored.Apart.Float16);
        Assert.Contains("each matrix for itself", OneLine(() => backend.MatMul(y, false, stored.Apart, true, 1, 2, 3, 2, y)));
        Assert.Contains("each matrix for itself", OneLine(() => backend.EmbeddingForward(stored.Apart, tape.Ints([0]), 1, 5, 6, y)));
        Assert.Throws<ArgumentException>(() => Weights.Of(ElementType.Float32, default));

        static string OneLine(Action action) => Files.OneLine.Of(action);
    }

    /// <summary>The same random weights of a stack as floats, in a type together, and in it each matrix in a buffer of its own.</summary>
    private sealed unsafe class Stored : IDisposable
    {
        private readonly Backend backend;
        private readonly List<DeviceBuffer> buffers = [];

        public Stored(Backend backend, ElementType type, int matrices, int each)
        {
            this.backend = backend;
            float[] values = MatMulTests.Values(matrices * each, 5);
            ushort[] bits = Array.ConvertAll(values, value => type == ElementType.Float16 ? Float16.Narrow(value) : Bfloat16.Narrow(value));
            if (type != ElementType.Float32)
                values = Array.ConvertAll(bits, value => type == ElementType.Float16 ? Float16.Widen(value) : Bfloat16.Widen(value));
            Wide = Put(values);
            Together = type == ElementType.Float32 ? Put(values) : Weights.Of(type, Put(bits));
            nint[] addresses = new nint[matrices];
            for (int e = matrices - 1; e >= 0; e--)              // in another order than they are used
            {
                Range mine = (e * each)..((e + 1) * each);
                addresses[e] = type == ElementType.Float32 ? Put(values[mine]).Address : Put(bits[mine]).Address;
            }

            Apart = Weights.Stack(type, Put(addresses), matrices * (long)each);
        }

        public Floats Wide { get; }

        public Weights Together { get; }

        public Weights Apart { get; }

        public void Dispose() => buffers.ForEach(backend.Pool.Return);

        private View<T> Put<T>(T[] values)
            where T : unmanaged
        {
            buffers.Add(backend.Pool.Rent(Math.Max(1, values.Length) * (long)sizeof(T)));
            View<T> view = buffers[^1].As<T>(values.Length);
            backend.Write<T>(values, view);
            return view;
        }
    }
}
