using TinyMoE.Backends.Cpu;
using TinyMoE.Cuda;
using TinyMoE.Tests.Ops;

namespace TinyMoE.Tests.Cuda;

/// <summary>
/// Every op case of every family on the CUDA device, against the double-precision reference and the CPU: values, gradients, accumulation.
/// </summary>
[Collection(CudaCollection.Name)]
public sealed class OpCaseTests
{
    private static readonly Dictionary<string, OpCase> ByName = Families().SelectMany(family => family).ToDictionary(c => c.Name);

    public static TheoryData<string> Names => [.. ByName.Keys];

    [CudaTheory]
    [MemberData(nameof(Names))]
    public void Plain_AgreesWithReferenceAndCpu(string name) => Check(name, settings: "");

    [EmulatedTheory]
    [MemberData(nameof(Names))]
    public void UnderAllChecks_AgreesAndHasNoFinding(string name) => Check(name, Emulator.AllChecks);

    private static void Check(string name, string settings)
    {
        OpCase c = ByName[name];
        CudaBackend cuda = TestDevice.SharedBackend(settings);
        using CpuBackend cpu = new(1);
        OpRun expected = OpRun.Of(c, cpu), once = OpRun.Of(c, cuda), twice = OpRun.Of(c, cuda, uses: 2);

        double tolerance = c.Tolerance;
        double[][] inputs = Array.ConvertAll(c.Values(), values => Array.ConvertAll(values, v => (double)v));
        OpRun.AssertClose(c.Reference(inputs), once.Output, tolerance, "value");
        double gradientTolerance = c.GradientTolerance ?? c.Tolerance * 5;
        for (int input = 0; input < once.Grads.Length; input++)
        {
            double[] gradient = Array.ConvertAll(expected.Grads[input], g => (double)g);
            OpRun.AssertClose(gradient, once.Grads[input], gradientTolerance, $"gradient of input {input}");
            double[] doubled = Array.ConvertAll(once.Grads[input], g => 2.0 * g);
            OpRun.AssertClose(doubled, twice.Grads[input], 1e-5, $"accumulated gradient of input {input}");
        }

        TestDevice.RequireNoFinding();
    }

    private static IEnumerable<IEnumerable<OpCase>> Families() => typeof(OpCaseTests).Assembly.GetTypes()
        .Where(type => type.IsAssignableTo(typeof(IOpCases)) && !type.IsInterface)
        .Select(type => (IEnumerable<OpCase>)type.GetProperty(nameof(IOpCases.Cases))!.GetValue(null)!);
}
