using TinyMoE.Backends.Cpu;
using TinyMoE.Memory;

namespace TinyMoE.Tests.Ops;

/// <summary>The checks that every op case passes. A family's test class lists its cases and inherits these.</summary>
public abstract class OpTests<TFamily>
    where TFamily : IOpCases
{
    private static readonly Dictionary<string, OpCase> ByName = TFamily.Cases.ToDictionary(c => c.Name);

    public static TheoryData<string> Names => [.. TFamily.Cases.Select(c => c.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Forward_AgreesWithDoubleReference(string name)
    {
        OpCase c = ByName[name];
        double[] expected = c.Reference(ToDouble(c.Values()));
        OpRun.AssertClose(expected, Run(c, threads: 1).Output, c.Tolerance, "value");
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Backward_AgreesWithCentralDifferencesOfReference(string name)
    {
        OpCase c = ByName[name];
        double[][] values = ToDouble(c.Values());
        OpRun run = Run(c, threads: 1);
        double[] dy = ToDouble(run.Dy);
        Func<double[][], double[]> reference = c.Smooth ?? c.Reference;
        for (int input = 0; input < values.Length; input++)
        {
            if (!c.Inputs[input].WantsGrad)
                continue;
            double[] numeric = new double[values[input].Length];
            for (int i = 0; i < numeric.Length; i++)
            {
                const double H = 1e-5;
                double at = values[input][i];
                values[input][i] = at + H;
                double above = Dot(reference(values), dy);
                values[input][i] = at - H;
                double below = Dot(reference(values), dy);
                values[input][i] = at;
                numeric[i] = (above - below) / (2 * H);
            }

            OpRun.AssertClose(numeric, run.Grads[input], c.GradientTolerance ?? c.Tolerance * 5, $"gradient of input {input}");
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void Backward_SecondUse_AddsToGradient(string name)
    {
        OpCase c = ByName[name];
        OpRun once = Run(c, threads: 1), twice = Run(c, threads: 1, uses: 2);
        for (int input = 0; input < once.Grads.Length; input++)
        {
            double[] doubled = [.. once.Grads[input].Select(g => 2.0 * g)];
            OpRun.AssertClose(doubled, twice.Grads[input], 1e-5, $"accumulated gradient of input {input}");
        }
    }

    [Theory]
    [MemberData(nameof(Names))]
    public void OnThreeThreads_SameBits(string name)
    {
        OpCase c = ByName[name];
        OpRun one = Run(c, threads: 1), three = Run(c, threads: 3);
        Assert.Equal(one.Output, three.Output);
        for (int input = 0; input < one.Grads.Length; input++)
            Assert.Equal(one.Grads[input], three.Grads[input]);
    }

    private static OpRun Run(OpCase c, int threads, int uses = 1)
    {
        using GuardedAllocator allocator = new();
        using CpuBackend backend = new(threads, new MemoryPool(allocator, granularity: 4));
        OpRun run = OpRun.Of(c, backend, uses);
        allocator.AssertNothingWrittenOutside();
        return run;
    }

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();

    private static double[] ToDouble(float[] values) => Array.ConvertAll(values, v => (double)v);

    private static double[][] ToDouble(float[][] values) => Array.ConvertAll(values, ToDouble);
}
