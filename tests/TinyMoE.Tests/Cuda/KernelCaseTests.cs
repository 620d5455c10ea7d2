using TinyMoE.Backends.Cases;
using TinyMoE.Backends.Cpu;
using TinyMoE.Cuda;

namespace TinyMoE.Tests.Cuda;

/// <summary>Every kernel of the contract on the CUDA device beside the CPU, at sizes of
/// a small model and at odd ones, stored and added; whole numbers to the bit.</summary>
[Collection(CudaCollection.Name)]
public sealed class KernelCaseTests
{
    private static readonly Dictionary<string, KernelCase> ByName = Sizes()
        .SelectMany(s => new[] { false, true }.SelectMany(
            adds => KernelCaseList.Of(s.Sizes, adds).Select(c => (Name: $"{c} ({s.Name}, {(adds ? "added" : "stored")})", Case: c))))
        .ToDictionary(c => c.Name, c => c.Case);

    public static TheoryData<string> Names => [.. ByName.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public void OnThreeThreads_AgreesWithOne(string name)
    {
        using CpuBackend one = new(1), three = new(3);
        Assert.Equal(0, ByName[name].ErrorOn(three, one));
    }

    [CudaTheory]
    [MemberData(nameof(Names))]
    public void Plain_AgreesWithCpu(string name) => Check(name, "");

    [EmulatedTheory]
    [MemberData(nameof(Names))]
    public void UnderEachCheck_AgreesAndHasNoFinding(string name)
    {
        // Each check by itself, which finds what another may hide, where it costs little.
        foreach (string settings in name.Contains("(odd", StringComparison.Ordinal) ? Emulator.EachCheck : [Emulator.AllChecks])
            Check(name, settings);
    }

    private static void Check(string name, string settings)
    {
        using CpuBackend cpu = new(1);
        CudaBackend cuda = TestDevice.SharedBackend(settings);
        int outside = cuda.Pool.LiveBuffers;
        KernelCase c = ByName[name];
        Assert.InRange(c.ErrorOn(cuda, cpu), 0, c.Tolerance);
        Assert.Equal(outside, cuda.Pool.LiveBuffers);
        TestDevice.RequireNoFinding();
    }

    private static IEnumerable<(string Name, KernelSizes Sizes)> Sizes() => [("typical", KernelSizes.Typical), ("odd", KernelSizes.Odd)];
}
