using System.Diagnostics;
using TinyMoE.Backends.Cases;
using TinyMoE.Backends.Cpu;
using TinyMoE.Cuda;

namespace TinyMoE.App;

/// <summary>Looks at all that CUDA needs, and tries every kernel of the contract on every device, in every mode that it has.</summary>
public static class Doctor
{
    /// <summary>
    /// Sizes that units of 16 bytes fit; <see cref="KernelSizes.Odd"/> are those that nothing fits. Both are small, since the processor
    /// computes the same beside the device.
    /// </summary>
    private static readonly KernelSizes Even = new(N: 96, C: 64, V: 128, B: 3, H: 4, KvHeads: 2, D: 32, E: 8, K: 2, F: 32);

    private static readonly TimeSpan MostTuning = TimeSpan.FromSeconds(55);

    /// <summary>Families whose operands tensor cores round; the others compute the same in each mode.</summary>
    private static readonly HashSet<string> Rounded = ["MatMul", "Grouped", "Attention", "FeedForward"];

    /// <summary>The whole examination. Each device is told to <paramref name="onDevice"/> as soon as it is tested.</summary>
    /// <param name="onDevice">Hears of each device.</param>
    /// <param name="compilesAnew">Whether to measure as well how long the driver compiles when it has kept nothing.</param>
    /// <param name="tunes">Whether to measure as well the ways to multiply for experts, for a minute at most.</param>
    public static DoctorReport Examine(Action<DeviceReport>? onDevice = null, bool compilesAnew = false, bool tunes = false)
    {
        PtxModule[] modules = [.. Ptx.All.Select(ptx => new PtxModule(ptx.File, ptx.Kernels().Count(), SourceHash(ptx)))];
        List<DeviceReport> devices = [];
        Version? driver = null;
        (string? failure, bool failed) = (null, false);
        try
        {
            driver = CudaDriver.Version;
            foreach (CudaDeviceInfo info in CudaDriver.Devices())
            {
                devices.Add(Test(info, compilesAnew, tunes));
                onDevice?.Invoke(devices[^1]);
            }

            failed = devices.Any(device => device.Failed);
        }
        catch (CudaFailure e)
        {
            (failure, failed) = (e.Message, !e.NoDevice);
            devices.Clear();
        }

        string? path = driver is null ? null : CudaDriver.LibraryPath;
        return new DoctorReport(CudaDriver.Bindings, modules, driver, path, CudaVariable.Set(), devices, failure, failed);
    }

    /// <summary>
    /// How far a case may be from the processor. TF32 keeps 10 bits of an operand's mantissa, bfloat16 7: half a unit in the last place
    /// is 2^-11 or 2^-8 of an operand, and errors of sums of some dozen products of numbers below 1 stay below a few of these.
    /// </summary>
    internal static double ToleranceOf(KernelCase tried, TensorCores mode) => Rounded.Contains(tried.Family)
        ? mode switch
        {
            TensorCores.Tf32 => Math.Max(tried.Tolerance, 8e-3),
            TensorCores.Bfloat16 => Math.Max(tried.Tolerance, 6e-2),
            _ => tried.Tolerance,
        }
        : tried.Tolerance;

    /// <summary>Every kernel case on one device. The first failure of the driver ends the test: the device answers nothing more.</summary>
    private static DeviceReport Test(CudaDeviceInfo info, bool compilesAnew, bool tunes)
    {
        DeviceReport report = new(info);
        List<FamilyReport> families = [];
        Stopwatch clock = Stopwatch.StartNew();
        try
        {
            using CudaBackend device = new(info.Index);
            using CpuBackend cpu = new();
            report = report with
            {
                Blas = device.BlasVersion,
                BlasPath = CudaBackend.BlasPath,
                Modules = [.. device.Modules.Select(module => new CompiledModule(module.File, module.Time))],
                Kernels = device.ReportKernels(),
                ColdCompilation = compilesAnew ? device.CompileAnew() : null,
            };
            foreach (CudaOptions mode in Modes(info))
            {
                device.Use(mode);
                foreach (IGrouping<string, KernelCase> family in Cases(mode).GroupBy(c => c.Family))
                    families.Add(Test(family, mode, device, cpu));
            }

            report = report with { Families = families, Notes = [.. Notes(families)], Time = clock.Elapsed };
            return tunes && !report.Failed ? report with { Tuning = GroupedTuning.Measure(device, info, MostTuning) } : report;
        }
        catch (TinyMoEException e)
        {
            return report with { Families = families, Time = clock.Elapsed, Failure = e.Message };
        }
    }

    private static FamilyReport Test(IGrouping<string, KernelCase> family, CudaOptions mode, CudaBackend device, CpuBackend cpu)
    {
        (KernelCase Case, double Error)[] errors = [.. family.Select(c => (c, c.ErrorOn(device, cpu)))];
        IEnumerable<string> wrong = errors.Where(e => !(e.Error <= ToleranceOf(e.Case, mode.TensorCores)))
            .Select(e => e.Case.Name).Distinct();
        return new FamilyReport(
            family.Key, mode.TensorCores, mode.Grouped, errors.Length, errors.Max(e => e.Error),
            errors.Max(e => ToleranceOf(e.Case, mode.TensorCores)), [.. wrong]);
    }

    /// <summary>What a card can be told to do: each way to use its tensor cores, and in each the ways to multiply for experts.</summary>
    private static IEnumerable<CudaOptions> Modes(CudaDeviceInfo info) =>
        from cores in info.HasTf32AndBfloat16 ? Enum.GetValues<TensorCores>() : [TensorCores.Off]
        from grouped in Enum.GetValues<GroupedProducts>()
        select new CudaOptions { TensorCores = cores, Grouped = grouped };

    /// <summary>All cases where a mode is first tried; of another way to multiply for experts those of experts, stored only.</summary>
    private static IEnumerable<KernelCase> Cases(CudaOptions mode) =>
        from sizes in (KernelSizes[])[Even, KernelSizes.Odd]
        from adds in mode.Grouped == default && mode.TensorCores == default ? (bool[])[false, true] : [false]
        from c in KernelCaseList.Of(sizes, adds)
        where mode.Grouped == default || c.Family == "Grouped"
        select c;

    /// <summary>A mode that should round, and does not: the environment forbids it, or this cuBLAS has no kernel for it.</summary>
    private static IEnumerable<string> Notes(List<FamilyReport> families) =>
        from family in families
        where family.Family == "MatMul" && family.TensorCores != TensorCores.Off && family.LargestError <= KernelCase.UsualTolerance
        select $"--tensor-cores {family.TensorCores.ToString().ToLowerInvariant()} rounds nothing here: products are as exact as without";

    private static string SourceHash(Ptx ptx)
    {
        const string Mark = "// source-sha256: ";
        string? found = ptx.Text.Split('\n').Take(10).FirstOrDefault(line => line.StartsWith(Mark, StringComparison.Ordinal));
        return found?[Mark.Length..].Trim()
            ?? throw new InvalidOperationException($"{ptx.File} does not say which source it was made from.");
    }
}
