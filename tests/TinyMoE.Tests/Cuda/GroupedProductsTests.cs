using System.Runtime.InteropServices;
using TinyMoE.Backends;
using TinyMoE.Backends.Cases;
using TinyMoE.Cuda;
using TinyMoE.Memory;
using Floats = TinyMoE.Memory.View<float>;

namespace TinyMoE.Tests.Cuda;

/// <summary>
/// The products of experts by our own kernels beside float64: routings that no tile fits, sides that begin anywhere, sums in pieces. The
/// small plans, and what follows a product, are tried in CublasTests.
/// </summary>
[Collection(CudaCollection.Name)]
public sealed class GroupedProductsTests
{
    private const double Bfloat16Step = 1 / 256.0; // half of it is what rounding costs at most

    private static readonly Dictionary<TensorCores, CudaBackend> Backends = [];

    /// <summary>Rows of each expert, unassigned ones behind them; inputs, outputs; where the sides begin, in numbers.</summary>
    public static TheoryData<string, int, int, int, int> Plans => new()
    {
        { "700 0 3 130", 2, 36, 68, 0 },  // two experts with most rows: sums in pieces
        { "0 0 1000", 0, 33, 67, 0 },     // one with all
        { "530 513", 70, 8, 130, 0 },     // more unassigned rows than a tile has
        { "64 128 63 65", 0, 64, 64, 0 }, // tiles that fit, or nearly
        { "64 128 63 65", 0, 64, 64, 1 }, // and do not begin at multiples of 16 bytes
        { "5 9", 1, 1, 1, 3 },
        { "40", 0, 129, 3, 2 },
        { "1 1 0 2 7 1 0 0 3 1 1 1 1 20 0 0 0 0 9 1 1 1 1 1 1 1 1 1 1 1 1 1 1 0 0 1 1 30", 5, 12, 20, 0 }, // more experts than lanes
    };

    [CudaTheory]
    [MemberData(nameof(Plans))]
    public void EveryProduct_AgreesWithFloat64(string rows, int unassigned, int inputs, int outputs, int start) =>
        AssertAgrees(TensorCores.Off, Sizes.Of(rows, unassigned, inputs, outputs), start, Whole, 2e-5);

    /// <summary>Numbers that TF32 and bfloat16 hold are not rounded: only the order of the sums is another.</summary>
    [CudaTheory]
    [MemberData(nameof(Plans))]
    public void EveryProduct_OnTensorCores_OfRoundedNumbers_AgreesWithFloat64(
        string rows, int unassigned, int inputs, int outputs, int start)
    {
        foreach (TensorCores kind in new[] { TensorCores.Tf32, TensorCores.Bfloat16 })
            AssertAgrees(kind, Sizes.Of(rows, unassigned, inputs, outputs), start, Rounded, 2e-5);
    }

    /// <summary>Operands lose 13 bits of mantissa in TF32, 16 in bfloat16; products and sums are float32.</summary>
    [CudaTheory]
    [InlineData(TensorCores.Tf32, 4e-3)]
    [InlineData(TensorCores.Bfloat16, 3e-2)]
    public void EveryProduct_OnTensorCores_RoundsItsOperands(TensorCores kind, double tolerance) =>
        AssertAgrees(kind, Sizes.Of("64 0 150 63 65", 2, inputs: 72, outputs: 40), start: 0, Whole, tolerance);

    [CudaFact]
    public void EveryProduct_OfManyExperts_AgreesWithFloat64()
    {
        foreach (int E in new[] { 1, 2, 31, 32, 33, 64, 128, 150 })
        {
            Sizes s = Sizes.Of(string.Join(' ', Enumerable.Range(0, E).Select(e => e * 7 % 5)), 3, inputs: 9, outputs: 12);
            AssertAgrees(TensorCores.Off, s, start: 0, Rounded, 2e-5);
        }
    }

    /// <summary>Large tiles add up in the order of small ones, which take over where a side does not begin at a multiple of 16 bytes.
    /// </summary>
    [CudaTheory]
    [InlineData(TensorCores.Off)]
    [InlineData(TensorCores.Tf32)]
    [InlineData(TensorCores.Bfloat16)]
    public void LargeTiles_GiveTheBitsOfSmallOnes(TensorCores kind)
    {
        Sizes rows = Sizes.Of("700 0 1100 248", 0, inputs: 16, outputs: 2176), columns = rows with { Inputs = 2176, Outputs = 16 };
        Sizes weights = Sizes.Of("9 0 0 1 14 3 0 2", 0, inputs: 768, outputs: 768);
        foreach ((Sizes s, int product) in new[] { (rows, 0), (columns, 1), (weights, 2) })
        {
            float[][] large = Bits(kind, s, start: 0), small = Bits(kind, s, start: 1);
            Assert.Equal(large[product], small[product]);
            Assert.Equal(large.ElementAtOrDefault(product + 3), small.ElementAtOrDefault(product + 3));
        }
    }

    [EmulatedTheory]
    [InlineData(TensorCores.Off)]
    [InlineData(TensorCores.Tf32)]
    [InlineData(TensorCores.Bfloat16)]
    public void EveryProduct_UnderEachCheck_GivesTheSameBitsAndHasNoFinding(TensorCores kind)
    {
        Sizes s = Sizes.Of("300 0 3 130", 2, inputs: 40, outputs: 72), odd = Sizes.Of("270 0 5", 1, inputs: 19, outputs: 21);
        float[][] expected = [.. Bits(kind, s, 0), .. Bits(kind, odd, 0)];
        foreach (string settings in Emulator.EachCheck.Append("shuffle=3").Append(""))
        {
            Emulator.Configure(settings);
            float[][] actual = [.. Bits(kind, s, 0), .. Bits(kind, odd, 0)];
            Assert.Equal(expected, actual);
            TestDevice.RequireNoFinding();
        }
    }

    /// <summary>What a gradient's sums are cut into depends on the sizes.</summary>
    [Theory]
    [InlineData(8, 4096, 256, 512, 64, 256)]       // 32 small tiles for each expert: pieces fill the card
    [InlineData(8, 32768, 1024, 1024, 128, 4096)]  // 64 large ones
    [InlineData(64, 131072, 1024, 256, 128, 4096)] // twice the mean
    [InlineData(128, 4096, 256, 512, 128, 256)]
    [InlineData(1, 100, 64, 64, 64, 256)]
    public void Pieces_AreOfSizesOnly(int E, int N, int inputs, int outputs, int tile, int rows)
    {
        CudaBackend.PieceSizes pieces = new(E, N, inputs, outputs, areAligned: true);
        Assert.Equal((tile, rows, N / rows), (pieces.Tile, pieces.Rows, pieces.MostExtra));
    }

    private static CudaBackend Own(TensorCores kind) => TestDevice.Kept(
        Backends, kind, () => TestDevice.NewBackend("", new CudaOptions { Grouped = GroupedProducts.Own, TensorCores = kind }));

    private static void AssertAgrees(TensorCores kind, Sizes s, int start, Func<float, float> number, double tolerance)
    {
        foreach (bool adds in new[] { false, true })
        {
            using Products products = new(Own(kind), kind, s, start, adds, number);
            double[][] expected = products.Expected();
            float[][] actual = products.Run();
            for (int i = 0; i < actual.Length; i++)
            {
                double error = expected[i % 3].Zip(actual[i], (a, b) => Math.Abs(a - b) / (1 + Math.Abs(a))).Max();
                double most = i is 3 or 4 ? Math.Max(tolerance, Bfloat16Step) : tolerance; // results in bfloat16
                Assert.True(error <= most, $"product {i}, {kind}, {(adds ? "added" : "stored")}: {error}"); // NaN is not
            }

            TestDevice.RequireNoFinding();
        }
    }

    /// <summary>y, dx and dw, stored; on tensor cores for bfloat16 all of them once more, of memory in bfloat16.</summary>
    private static float[][] Bits(TensorCores kind, Sizes s, int start)
    {
        using Products products = new(Own(kind), kind, s, start, adds: false, Whole);
        return products.Run();
    }

    private static float Whole(float value) => value;

    /// <summary>To the next number in bfloat16.</summary>
    private static float Rounded(float value) => BitConverter.Int32BitsToSingle((BitConverter.SingleToInt32Bits(value) + 0x8000) & ~0xFFFF);

    /// <summary>All products of one routing, of sides that begin so many numbers behind a multiple of 16 bytes.</summary>
    private sealed class Products(CudaBackend backend, TensorCores kind, Sizes s, int start, bool adds, Func<float, float> number)
        : IDisposable
    {
        private readonly KernelData data = new(backend);
        private readonly float[] x = Numbers(1, s.N * s.Inputs, number), dy = Numbers(2, s.N * s.Outputs, number);
        private readonly float[] w = [.. Numbers(3, s.E * s.Inputs * s.Outputs, kind == TensorCores.Bfloat16 ? Rounded : number)];

        public float[][] Run()
        {
            Ints offsets = data.In(s.Offsets);
            Floats left = At(x), right = At(dy);
            Weights weights = kind == TensorCores.Bfloat16 ? At(Narrow(w)) : At(w);
            List<Target> results = [To(s.N * s.Outputs), To(s.N * s.Inputs), To(w.Length)];
            Multiply(left, right, CollectionsMarshal.AsSpan(results));
            if (kind == TensorCores.Bfloat16)
            {
                results.AddRange([ToNarrow(s.N * s.Outputs), ToNarrow(s.N * s.Inputs), To(w.Length)]);
                Multiply(At(Narrow(x)), At(Narrow(dy)), CollectionsMarshal.AsSpan(results)[3..]);
            }

            return [.. results.Select(Read)];

            void Multiply(Values left, Values right, ReadOnlySpan<Target> to)
            {
                backend.GroupedMatMul(left, weights, offsets, s.E, s.N, s.Inputs, s.Outputs, to[0]);
                backend.GroupedMatMulBackwardInput(right, weights, offsets, s.E, s.N, s.Inputs, s.Outputs, to[1]);
                backend.GroupedMatMulBackwardWeight(right, left, offsets, s.E, s.N, s.Inputs, s.Outputs, to[2]);
            }
        }

        public double[][] Expected()
        {
            double[] y = Before(s.N * s.Outputs), dx = Before(s.N * s.Inputs), dw = Before(w.Length);
            for (int e = 0; e < s.E; e++)
            {
                for (int n = s.Offsets[e]; n < s.Offsets[e + 1]; n++)
                {
                    for (int o = 0; o < s.Outputs; o++)
                    {
                        for (int i = 0; i < s.Inputs; i++)
                        {
                            int place = (((e * s.Outputs) + o) * s.Inputs) + i;
                            y[(n * s.Outputs) + o] += (double)x[(n * s.Inputs) + i] * w[place];
                            dx[(n * s.Inputs) + i] += (double)dy[(n * s.Outputs) + o] * w[place];
                            dw[place] += (double)dy[(n * s.Outputs) + o] * x[(n * s.Inputs) + i];
                        }
                    }
                }
            }

            return [y, dx, dw];
        }

        public void Dispose() => data.Dispose();

        private static float[] Numbers(int seed, int n, Func<float, float> number)
        {
            Random random = new(seed);
            return [.. Enumerable.Range(0, n).Select(_ => number((2 * random.NextSingle()) - 1))];
        }

        private static ushort[] Narrow(float[] values) =>
            [.. values.Select(value => (ushort)(BitConverter.SingleToUInt32Bits(Rounded(value)) >> 16))];

        private View<T> At<T>(T[] values)
            where T : unmanaged
        {
            View<T> moved = data.Rent<T>(values.Length + start).Slice(start, values.Length);
            backend.Write<T>(values, moved);
            return moved;
        }

        // what is added to
        private double[] Before(int n) => [.. Enumerable.Range(0, n).Select(i => adds ? i % 7 : 0.0)];

        private float[] Read(Target result) => result.Type == ElementType.Float32
            ? backend.Read(result.View)
            : [.. backend.Read(result.Values.Bfloat16).Select(bits => BitConverter.UInt32BitsToSingle((uint)bits << 16))];

        private Target ToNarrow(int n) =>
            new(adds ? data.In(Narrow([.. Before(n).Select(value => (float)value)])) : data.Rent<ushort>(n), adds);

        private Target To(int n) => adds ? new Target(data.In([.. Before(n).Select(value => (float)value)]), Adds: true) : data.Out(n);
    }

    private sealed record Sizes(int[] Offsets, int N, int Inputs, int Outputs)
    {
        public int E => Offsets.Length - 1;

        public static Sizes Of(string rows, int unassigned, int inputs, int outputs)
        {
            int[] counts = [.. rows.Split(' ').Select(int.Parse)], offsets = [0, .. counts.Select((_, e) => counts.Take(e + 1).Sum())];
            return new Sizes(offsets, offsets[^1] + unassigned, inputs, outputs);
        }
    }
}
