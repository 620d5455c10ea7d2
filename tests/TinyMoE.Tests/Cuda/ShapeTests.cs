using TinyMoE.Backends;
using TinyMoE.Backends.Cases;
using TinyMoE.Backends.Cpu;
using TinyMoE.Cuda;
using TinyMoE.Memory;

namespace TinyMoE.Tests.Cuda;

/// <summary>The kernels of elements, rows and columns on the CUDA device
/// beside the CPU at shapes where they share the work out otherwise.</summary>
[Collection(CudaCollection.Name)]
public sealed class ShapeTests
{
    private static readonly string[] Families =
        ["Elementwise", "Bfloat16", "Reduce", "Norm", "Softmax", "FeedForward", "Embedding", "Random", "Optim"];

    public static TheoryData<string, int, int, int> Shapes => new()
    {
        { "nothing", 0, 37, 5 },
        { "one element", 1, 1, 1 },
        { "many rows share a warp, an id is frequent", 300, 8, 3 },
        { "a row has several warps", 65, 520, 50 },
        { "a row is longer than what a block keeps", 5, 2064, 2100 },
    };

    [CudaTheory]
    [MemberData(nameof(Shapes))]
    public void EveryKernel_OfShape_AgreesWithCpu(string what, int N, int C, int V) => Check(what, "", Cases(N, C, V));

    [EmulatedTheory]
    [MemberData(nameof(Shapes))]
    public void EveryKernel_OfShapeUnderAllChecks_HasNoFinding(string what, int N, int C, int V) =>
        Check(what, Emulator.AllChecks, Cases(N, C, V));

    [CudaFact]
    public void Sums_OverManyRowsOrLongOnes_AgreeWithCpu() => Check("sums", "",
    [
        new("Reduce", "many rows", (b, d) => b.SumRows(d.In(20_000 * 3), 0.01f, 20_000, 3, d.Added(3)), 1e-4),
        new("Reduce", "long rows", (b, d) => b.SumColumns(d.In(2 * 40_001), 0.01f, 2, 40_001, d.Added(2)), 1e-4),
        new("Elementwise", "a row that meets many", (b, d) =>
            b.BinaryBackward(Binary.Divide, d.In(20_000 * 3), d.In(20_000 * 3), d.In(3, 0.5f, 2f), Broadcast.Row, 20_000, 3, Target.None,
                d.Out(3)), 1e-4),
    ]);

    public static TheoryData<int, int, int> ManyTokens => new()
    {
        { 513, 3, 130 },      // the fewest rows that are sorted by digits
        { 2049, 17, 7 },      // a block more than one takes, ids of one digit
        { 4128, 8, 256 },
        { 4500, 9, 257 },     // ids of two digits
        { 3001, 40, 70_000 }, // of three; more columns than a warp has lanes
    };

    [CudaTheory]
    [MemberData(nameof(ManyTokens))]
    public void OverManyBlocks_AgreesWithCpu(int N, int E, int V) => Check("many tokens", "", ManyTokenCases(N, E, V));

    [EmulatedFact]
    public void OverManyBlocks_UnderAllChecks_HasNoFinding() => Check("many tokens", Emulator.AllChecks, ManyTokenCases(4128, 8, 257));

    [CudaFact]
    public void EmbeddingBackward_OfManyRows_LeavesOutIdsThatAreNone()
    {
        foreach (int V in new[] { 200, 300 })
        {
            CudaBackend cuda = TestDevice.SharedBackend("");
            using KernelData data = new(cuda);
            const int N = 2500;
            int[] ids = [.. Enumerable.Range(0, N).Select(n => n % 3 == 0 ? (n % 2 == 0 ? -1 - n : V + n) : n * 7 % V)];
            View<float> y = data.Out(V);
            cuda.EmbeddingBackward(data.In([.. Enumerable.Repeat(1f, N)]), data.In(ids), N, V, 1, y);
            Assert.Equal(Enumerable.Range(0, V).Select(v => (float)ids.Count(id => id == v)), cuda.Read(y));
        }
    }

    [CudaFact]
    public void Norm_NotFinite_LeavesTheWeights() => Check("AdamW", "",
    [
        new("Optim", "AdamW of a gradient that is not finite", (b, d) => b.AdamW(
            d.In(5), d.In([float.NaN]), new AdamWStep(1, 0.1f, 0.9f, 0.95f, 1e-8f, 0.1f, Clip: 1f), 5, d.Added(5).View, d.Added(5).View,
            d.Added(5).View)),
    ]);

    [CudaFact]
    public void Embedding_OfAnIdOutsideTheTable_IsNaN()
    {
        CudaBackend cuda = TestDevice.SharedBackend("");
        using KernelData data = new(cuda);
        View<float> y = data.Out(9);
        cuda.EmbeddingForward(data.In(2 * 3), data.In([1, 2, -1]), 3, 2, 3, y);
        Assert.Equal([false, false, false, true, true, true, true, true, true], cuda.Read(y).Select(float.IsNaN));
    }

    [CudaFact]
    public void CrossEntropy_OfATargetOutsideTheVocabulary_IsNaN()
    {
        CudaBackend cuda = TestDevice.SharedBackend("");
        using KernelData data = new(cuda);
        View<float> loss = data.Out(1);
        cuda.CrossEntropyForward(data.In(2 * 3), data.In([1, 3]), 2, 3, loss, data.Out(2));
        Assert.Equal([float.NaN], cuda.Read(loss));
    }

    private static IEnumerable<KernelCase> Cases(int N, int C, int V)
    {
        KernelSizes sizes = new(N, C, V, B: 1, H: 1, KvHeads: 1, D: 2, E: 1, K: 1, F: 1);
        return KernelCaseList.Of(sizes).Concat(KernelCaseList.Of(sizes, adds: true)).Where(c => Families.Contains(c.Family));
    }

    private static IEnumerable<KernelCase> ManyTokenCases(int N, int E, int V) =>
        KernelCaseList.Of(new KernelSizes(N, C: 5, V, B: 1, H: 1, KvHeads: 1, D: 2, E, K: 1, F: 1)).Where(
            c => c.Name is "EmbeddingBackward" or "AssignBalanced" or "Sinkhorn" || (c.Name == "CrossEntropyForward" && V < 1000));

    private static void Check(string what, string settings, IEnumerable<KernelCase> cases)
    {
        using CpuBackend cpu = new(1);
        CudaBackend cuda = TestDevice.SharedBackend(settings);
        foreach (KernelCase c in cases)
            Assert.True(c.ErrorOn(cuda, cpu) is double error && error <= c.Tolerance, $"{what}: {c} is off by {error:G3}");
        TestDevice.RequireNoFinding();
    }
}
