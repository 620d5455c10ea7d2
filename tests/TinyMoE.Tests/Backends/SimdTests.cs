using System.Runtime.Intrinsics;
using TinyMoE.Backends.Cpu;
using TinyMoE.Tests.Ops;

namespace TinyMoE.Tests.Backends;

/// <summary>Every width on any machine: where registers are too narrow for one, its vectors are computed in halves.</summary>
public sealed unsafe class SimdTests
{
    [Theory]
    [InlineData(512, true, false, "512-bit vectors")]
    [InlineData(256, true, false, "256-bit vectors")]
    [InlineData(256, false, false, "256-bit vectors without fused multiply-add")]
    [InlineData(128, true, false, "128-bit vectors with fused multiply-add")]
    [InlineData(128, false, false, "128-bit vectors without fused multiply-add")]
    [InlineData(128, true, true, "128-bit Arm vectors")]
    [InlineData(128, false, true, "128-bit Arm vectors")]
    public void Name_SaysWhatDecidesTheBits(int bits, bool fused, bool arm, string expected) =>
        Assert.Equal(expected, Simd.Describe(bits, fused, arm));

    [Fact]
    public void Name_OfTheDevice_HasIt()
    {
        using CpuBackend backend = new(2);
        Assert.Equal($"cpu (2 threads, {Simd.Name})", backend.Name);
    }

    [Theory]
    [InlineData(0.1f)]
    [InlineData(-0.01f)]
    [InlineData(3.3f)]
    [InlineData(-3.3f)]
    [InlineData(-20f)]
    [InlineData(-80f)]
    public void SimdMath_AnyRange_HasSmallRelativeError(float x)
    {
        Check<Simd128, Vector128<float>>();
        Check<Simd256, Vector256<float>>();
        Check<Simd512, Vector512<float>>();

        void Check<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            TVector all = TSimd.Broadcast(x);
            Assert.Equal(1, First<TSimd, TVector>(SimdMath.Exp<TSimd, TVector>(all)) / Math.Exp(x), 2e-7);
            Assert.Equal(1, First<TSimd, TVector>(SimdMath.Exp2<TSimd, TVector>(all)) / Math.Pow(2, x), 2e-7);
            Assert.Equal(1, First<TSimd, TVector>(SimdMath.Tanh<TSimd, TVector>(all)) / Math.Tanh(x), 3e-7);
            Assert.Equal(1, First<TSimd, TVector>(SimdMath.Sigmoid<TSimd, TVector>(all)) * (1 + Math.Exp(-x)), 3e-7);
            Assert.Equal(1, First<TSimd, TVector>(SimdMath.Softplus<TSimd, TVector>(all)) / Log1P(Math.Exp(x)), 4e-7);
        }
    }

    [Fact]
    public void SumFour_IsTheSumOfEach()
    {
        Check<Simd128, Vector128<float>>();
        Check<Simd256, Vector256<float>>();
        Check<Simd512, Vector512<float>>();

        static void Check<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            float* values = stackalloc float[4 * TSimd.Count];
            Random random = new(3);
            for (int round = 0; round < 1000; round++)
            {
                for (int i = 0; i < 4 * TSimd.Count; i++)
                    values[i] = (random.NextSingle() - 0.5f) * MathF.Pow(10, random.Next(8));
                TVector a = TSimd.Load(values), b = TSimd.Load(values + TSimd.Count);
                TVector c = TSimd.Load(values + 2 * TSimd.Count), d = TSimd.Load(values + 3 * TSimd.Count);
                Assert.Equal(Vector128.Create(TSimd.Sum(a), TSimd.Sum(b), TSimd.Sum(c), TSimd.Sum(d)), TSimd.SumFour(a, b, c, d));
            }
        }
    }

    [Fact]
    public void Exp2_AtTheEndsOfTheRange_IsZeroOrHeld()
    {
        Check<Simd128, Vector128<float>>();
        Check<Simd256, Vector256<float>>();
        Check<Simd512, Vector512<float>>();

        static void Check<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            foreach (float x in (float[])[-127, -127.3f, -1e6f, float.NegativeInfinity])
                Assert.Equal(0, BitConverter.SingleToInt32Bits(Of(x)));
            Assert.InRange(Of(-126.8f), 0, MathF.Pow(2, -126));
            Assert.Equal(MathF.Pow(2, -126), Of(-126));
            Assert.Equal(MathF.Pow(2, 127), Of(127));
            Assert.Equal(MathF.Pow(2, 127), Of(1e6f));
            Assert.Equal(1, Of(0));
            Assert.True(float.IsNaN(Of(float.NaN)));
            static float Of(float x) => First<TSimd, TVector>(SimdMath.Exp2<TSimd, TVector>(TSimd.Broadcast(x)));
        }
    }

    [Fact]
    public void Exp_RangeOfFloats_SameBitsAtAnyWidth()
    {
        for (float x = -110; x <= 95; x += 0.0371f)
        {
            float narrow = First<Simd128, Vector128<float>>(SimdMath.Exp<Simd128, Vector128<float>>(Vector128.Create(x)));
            float middle = First<Simd256, Vector256<float>>(SimdMath.Exp<Simd256, Vector256<float>>(Vector256.Create(x)));
            float wide = First<Simd512, Vector512<float>>(SimdMath.Exp<Simd512, Vector512<float>>(Vector512.Create(x)));
            Assert.Equal(narrow, middle);
            Assert.Equal(narrow, wide);
            Assert.Equal(MathF.Exp(x), narrow, MathF.Exp(x) * 2e-7f + float.Epsilon);
        }
    }

    [Fact]
    public void NormalCdf_WholeRange_AgreesWithErrorFunctionInTheTailsToo()
    {
        Check<Simd128, Vector128<float>>();
        Check<Simd256, Vector256<float>>();
        Check<Simd512, Vector512<float>>();

        static void Check<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            for (float x = -12; x <= 12; x += 0.0137f)
            {
                double expected = ElementwiseTests.NormalCdf(x), relative = First<TSimd, TVector>(
                    SimdMath.NormalCdf<TSimd, TVector>(TSimd.Broadcast(x), out _)) / expected - 1;
                Assert.True(Math.Abs(relative) < 3e-7 + 1.2e-7 * x * x, $"at {x}: {relative:E2}"); // x²/2 is rounded before the exponential
            }
        }
    }

    [Fact]
    public void PartOfAVector_AnyLength_ReadsAndWritesThatManyFloats()
    {
        Check<Simd128, Vector128<float>>();
        Check<Simd256, Vector256<float>>();
        Check<Simd512, Vector512<float>>();

        static void Check<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            float* source = stackalloc float[16], loaded = stackalloc float[16], stored = stackalloc float[16];
            for (int left = -1; left <= TSimd.Count + 1; left++)
            {
                for (int i = 0; i < TSimd.Count; i++)
                    (source[i], stored[i]) = (i + 1, 100 + i);
                TSimd.Store(TSimd.Load(source, left, fill: -7f), loaded);
                TSimd.Write(TSimd.Load(source), stored, left, adds: true);
                for (int i = 0; i < TSimd.Count; i++)
                {
                    Assert.Equal(i < left ? i + 1 : -7, loaded[i]);
                    Assert.Equal(i < left ? 101 + 2 * i : 100 + i, stored[i]);
                }

                TSimd.Store(TSimd.Broadcast(5f), stored, left);
                for (int i = 0; i < TSimd.Count; i++)
                    Assert.Equal(i < left ? 5 : 100 + i, stored[i]);
            }
        }
    }

    [Fact]
    public void WholeVectors_AnyNumberLeft_AreReadAndWrittenWhole()
    {
        Check<Simd128, Vector128<float>>();
        Check<Simd256, Vector256<float>>();
        Check<Simd512, Vector512<float>>();

        static void Check<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            float* source = stackalloc float[16], stored = stackalloc float[16];
            for (int left = 0; left <= TSimd.Count + 1; left++)
            {
                for (int i = 0; i < TSimd.Count; i++)
                    (source[i], stored[i]) = (i + 1, 100 + i);
                Whole<TSimd, TVector>.Write(Whole<TSimd, TVector>.Load(source, left, fill: -7f), stored, left, adds: true);
                for (int i = 0; i < TSimd.Count; i++)
                    Assert.Equal(101 + 2 * i, stored[i]);
                Whole<TSimd, TVector>.Store(TSimd.Broadcast(5f), stored, left);
                for (int i = 0; i < TSimd.Count; i++)
                    Assert.Equal(5, stored[i]);
            }
        }
    }

    [Fact]
    public void Neighbours_AnyLength_AreLoadedTwiceAndChangePlaces()
    {
        Check<Simd128, Vector128<float>>();
        Check<Simd256, Vector256<float>>();
        Check<Simd512, Vector512<float>>();

        static void Check<TSimd, TVector>()
            where TSimd : struct, ISimd<TVector>
            where TVector : struct
        {
            float* source = stackalloc float[16], twice = stackalloc float[16], swapped = stackalloc float[16];
            for (int i = 0; i < 16; i++)
                source[i] = i + 1;
            for (int left = 1; left <= TSimd.Count + 1; left++)
            {
                TSimd.Store(TSimd.LoadTwice(source, left), twice);
                TSimd.Store(TSimd.SwapNeighbours(TSimd.Load(source)), swapped);
                for (int i = 0; i < TSimd.Count; i++)
                {
                    Assert.Equal(i / 2 < left ? i / 2 + 1 : 0, twice[i]);
                    Assert.Equal((i ^ 1) + 1, swapped[i]);
                }
            }
        }
    }

    private static float First<TSimd, TVector>(TVector vector)
        where TSimd : struct, ISimd<TVector>
        where TVector : struct
    {
        float* lanes = stackalloc float[16];
        TSimd.Store(vector, lanes);
        return lanes[0];
    }

    private static double Log1P(double e) => e < 1e-5 ? e - e * e / 2 : Math.Log(1 + e);
}
