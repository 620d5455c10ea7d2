using TinyMoE.Backends;
using TinyMoE.Backends.Cases;
using TinyMoE.Backends.Cpu;
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
    private static CudaBackend? own;

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
    public void EveryProduct_AgreesWithFloat64(string rows, int unassigned, int inputs, int outputs, int start)
    {
        Sizes s = Sizes.Of(rows, unassigned, inputs, outputs);
        AssertAgrees(s, start);
    }

    [CudaFact]
    public void EveryProduct_OfManyExperts_AgreesWithFloat64()
    {
        foreach (int E in new[] { 1, 2, 31, 32, 33, 64, 128, 150 })
            AssertAgrees(Sizes.Of(string.Join(' ', Enumerable.Range(0, E).Select(e => e * 7 % 5)), 3, inputs: 9, outputs: 12), start: 0);
    }

    /// <summary>Large tiles add up in the order of small ones, which take over where a side does not begin at a multiple of 16 bytes.
    /// </summary>
    [CudaFact]
    public void LargeTiles_GiveTheBitsOfSmallOnes()
    {
        Sizes rows = Sizes.Of("700 0 1100 248", 0, inputs: 12, outputs: 2176), columns = rows with { Inputs = 2176, Outputs = 12 };
        Sizes weights = Sizes.Of("9 0 0 1 14 3 0 2", 0, inputs: 768, outputs: 768);
        foreach ((Sizes s, int product) in new[] { (rows, 0), (columns, 1), (weights, 2) })
            Assert.Equal(Bits(s, start: 0)[product], Bits(s, start: 1)[product]);
    }

    [EmulatedFact]
    public void EveryProduct_UnderEachCheck_GivesTheSameBitsAndHasNoFinding()
    {
        Sizes s = Sizes.Of("300 0 3 130", 2, inputs: 36, outputs: 68), odd = Sizes.Of("270 0 5", 1, inputs: 19, outputs: 21);
        float[][] expected = [.. Bits(s, 0), .. Bits(odd, 0)];
        foreach (string settings in Emulator.EachCheck.Append("shuffle=3").Append(""))
        {
            Emulator.Configure(settings);
            float[][] actual = [.. Bits(s, 0), .. Bits(odd, 0)];
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

    private static CudaBackend Own => own ??= TestDevice.NewBackend("", new CudaOptions { Grouped = GroupedProducts.Own });

    private static void AssertAgrees(Sizes s, int start)
    {
        foreach (bool adds in new[] { false, true })
        {
            using CpuBackend cpu = new(1);
            using KernelData expected = new(cpu), actual = new(Own);
            Run(cpu, expected, s, start, adds);
            Run(Own, actual, s, start, adds);
            Assert.InRange(actual.ErrorBeside(expected), 0, 2e-5);
            TestDevice.RequireNoFinding();
        }
    }

    /// <summary>y, dx and dw, stored.</summary>
    private static float[][] Bits(Sizes s, int start)
    {
        using KernelData d = new(Own);
        return [.. Run(Own, d, s, start, adds: false).Select(Own.Read)];
    }

    private static Floats[] Run(Backend b, KernelData d, Sizes s, int start, bool adds)
    {
        Ints offsets = d.In(s.Offsets);
        int E = offsets.Length - 1;
        Floats x = From(s.N * s.Inputs), dy = From(s.N * s.Outputs), w = From(E * s.Inputs * s.Outputs);
        Target y = To(s.N * s.Outputs), dx = To(s.N * s.Inputs), dw = To(w.Length);
        b.GroupedMatMul(x, w, offsets, E, s.N, s.Inputs, s.Outputs, y);
        b.GroupedMatMulBackwardInput(dy, w, offsets, E, s.N, s.Inputs, s.Outputs, dx);
        b.GroupedMatMulBackwardWeight(dy, x, offsets, E, s.N, s.Inputs, s.Outputs, dw);
        return [y.View, dx.View, dw.View];

        Floats From(int n)
        {
            Floats drawn = d.In(n), moved = d.Rent<float>(n + start).Slice(start, n);
            b.Write<float>(b.Read(drawn), moved);
            return moved;
        }

        Target To(int n) => adds ? d.Added(n) : d.Out(n);
    }

    private sealed record Sizes(int[] Offsets, int N, int Inputs, int Outputs)
    {
        public static Sizes Of(string rows, int unassigned, int inputs, int outputs)
        {
            int[] counts = [.. rows.Split(' ').Select(int.Parse)], offsets = [0, .. counts.Select((_, e) => counts.Take(e + 1).Sum())];
            return new Sizes(offsets, offsets[^1] + unassigned, inputs, outputs);
        }
    }
}
