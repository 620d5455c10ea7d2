using System.Runtime.Intrinsics;
using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Memory;
using TinyMoE.Tensors;
using TinyMoE.Tests.Ops;

namespace TinyMoE.Tests.Backends;

public sealed unsafe class Bfloat16KernelTests
{
    /// <summary>Ties to either side, what is just beside them, carries into
    /// the exponent, subnormals, what overflows, what is not finite.</summary>
    private static readonly float[] Values =
    [
        0f, -0f, 1f, -1.5f, Of(0x3F808000), Of(0x3F818000), Of(0x3F807FFF), Of(0x3F808001), Of(0xBF808000), Of(0xBF818000), Of(0x3FFFFFFF),
            float.Epsilon, Of(0x00008000),
        Of(0x00018000), Of(0x007FFFFF), Of(0x7F7F7FFF), Of(0x7F7F8000), float.MaxValue, float.MinValue, float.PositiveInfinity,
        float.NegativeInfinity, MathF.PI, 1e-30f,
    ];

    [Fact]
    public void Narrow_AnyValue_IsTheNearestWithEvenTies()
    {
        foreach (float x in Values.Concat(MatMulTests.Values(10_000, 1)))
            Assert.Equal(Bfloat16Tests.Round(x), Bfloat16.Widen(Bfloat16.Narrow(x)));
    }

    [Theory]
    [InlineData(0x7FC00000u)]
    [InlineData(0xFFC00000u)]
    [InlineData(0x7F800001u)] // all of what makes it NaN is in the lower half
    [InlineData(0xFFFFFFFFu)]
    public void NaN_StaysNaN(uint bits)
    {
        Assert.True(float.IsNaN(Bfloat16.Widen(Bfloat16.Narrow(Of(bits)))));
        AssertSameAsScalar([.. Enumerable.Repeat(Of(bits), 16)]);
    }

    [Fact]
    public void Vectors_AnyWidth_SameBitsAsTheScalar()
    {
        AssertSameAsScalar([.. Values, .. new float[32 - Values.Length]]);
        AssertSameAsScalar(MatMulTests.Values(160, 2));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(37)]
    [InlineData(40_001)]
    public void PackAndRound_AnyLengthAndThreads_AgreeWithTheScalar(int n)
    {
        float[] x = MatMulTests.Values(n, 3);
        foreach (int threads in (int[])[1, 3])
        {
            using GuardedAllocator allocator = new();
            using CpuBackend backend = new(threads, new(allocator, granularity: 2));
            using Tape tape = backend.NewTape();
            Tensor rounded = tape.Constant(n, x), sum = tape.Constant(n, x);
            ushort[] packed = backend.Read(tape.WithBfloat16(rounded).Bfloat16);
            backend.RoundToBfloat16(rounded.Data, n, new(sum.Data, Adds: true));
            backend.RoundToBfloat16(rounded.Data, n, rounded.Data);
            Assert.Equal(Array.ConvertAll(x, Bfloat16.Narrow), packed);
            Assert.Equal(Array.ConvertAll(packed, Bfloat16.Widen), rounded.ToArray());
            Assert.Equal([.. x.Zip(packed, (value, narrow) => value + Bfloat16.Widen(narrow))], sum.ToArray());
            allocator.AssertNothingWrittenOutside();
        }
    }

    [Theory]
    [InlineData(5)]
    [InlineData(48)]
    [InlineData(40_001)]
    public void AdamW_WithACopy_UpdatesAsWithout_AndCopiesTheNewWeights(int n)
    {
        using GuardedAllocator allocator = new();
        using CpuBackend backend = new(2, new(allocator, granularity: 2));
        using Tape tape = backend.NewTape();
        float[][] weights = [.. new[] { false, true }.Select(copies =>
        {
            Tensor w = tape.WithBfloat16(tape.Constant(n, MatMulTests.Values(n, 1))), m = tape.Constant(n, new float[n]),
                v = tape.Constant(n, new float[n]);
            Tensor g = tape.Constant(n, MatMulTests.Values(n, 2));
            backend.AdamW(g.Data, default, new AdamWStep(1, 0.01f, 0.9f, 0.95f, 1e-8f, 0.1f, 1f), n, w.Data, m.Data, v.Data,
                copies ? w.Bfloat16 : default);
            if (copies)
                Assert.Equal(Array.ConvertAll(w.ToArray(), Bfloat16.Narrow), backend.Read(w.Bfloat16));
            return w.ToArray();
        })];
        Assert.Equal(weights[0], weights[1]);
        allocator.AssertNothingWrittenOutside();
    }

    [Fact]
    public void Float16_EveryValueAtAnyWidth_IsTheScalar()
    {
        ushort[] all = [.. Enumerable.Range(0, 1 << 16).Select(i => (ushort)i)];
        Check<Simd128, Vector128<float>>();
        Check<Simd256, Vector256<float>>();
        Check<Simd512, Vector512<float>>();

        void Check<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            float* wide = stackalloc float[16];
            fixed (ushort* source = all)
            {
                for (int i = 0; i < all.Length; i += TSimd.Count)
                {
                    TSimd.Store(TSimd.LoadFloat16(source + i), wide);
                    for (int lane = 0; lane < TSimd.Count; lane++)
                    {
                        float expected = Float16.Widen(all[i + lane]);
                        Assert.True(float.IsNaN(expected) ? float.IsNaN(wide[lane])
                            : BitConverter.SingleToInt32Bits(expected) == BitConverter.SingleToInt32Bits(wide[lane]));
                    }
                }
            }
        }
    }

    private static void AssertSameAsScalar(float[] x)
    {
        ushort[] expected = Array.ConvertAll(x, Bfloat16.Narrow);
        Check<Simd128, Vector128<float>>();
        Check<Simd256, Vector256<float>>();
        Check<Simd512, Vector512<float>>();

        void Check<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            ushort* narrow = stackalloc ushort[16];
            float* wide = stackalloc float[16];
            fixed (float* source = x)
            {
                for (int i = 0; i < x.Length; i += TSimd.Count)
                {
                    TSimd.StoreBfloat16(TSimd.RoundToBfloat16(TSimd.Load(source + i)), narrow);
                    TSimd.Store(TSimd.LoadBfloat16(narrow), wide);
                    for (int lane = 0; lane < TSimd.Count; lane++)
                        Assert.Equal((expected[i + lane], BitConverter.SingleToInt32Bits(Bfloat16.Widen(expected[i + lane]))),
                            (narrow[lane], BitConverter.SingleToInt32Bits(wide[lane])));
                }
            }
        }
    }

    private static float Of(uint bits) => BitConverter.UInt32BitsToSingle(bits);
}
