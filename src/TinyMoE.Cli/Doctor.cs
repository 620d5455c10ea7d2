using TinyMoE.Backends.Cases;
using TinyMoE.Backends.Cpu;
using TinyMoE.Cuda;

namespace TinyMoE.Cli;

/// <summary>What this machine and this build have of CUDA.</summary>
/// <param name="Bindings">Who provides the ManagedCuda API.</param>
/// <param name="Modules">The kernels in this build.</param>
/// <param name="Driver">The CUDA version of the driver; null: there is none, or it does not answer.</param>
/// <param name="Devices">Every device, tested.</param>
/// <param name="Failure">Why there is no device; null where there is one.</param>
/// <param name="Failed">Whether something that is there does not work.</param>
internal sealed record DoctorReport(string Bindings, IReadOnlyList<PtxModule> Modules, Version? Driver, IReadOnlyList<DeviceReport> Devices, string? Failure, bool Failed);

/// <summary>One file of native/ptx: how many kernels it has, and the hash of the source it was made from.</summary>
internal sealed record PtxModule(string File, int Kernels, string SourceHash);

/// <summary>One device. Blas: the version of cuBLAS; Failure: why the test ended before its end; null where it did not.</summary>
internal sealed record DeviceReport(CudaDeviceInfo Device, Version? Blas, IReadOnlyList<FamilyReport> Families, TimeSpan Time, string? Failure)
{
    public bool Failed => Failure is not null || Families.Any(family => family.Wrong.Count > 0);
}

/// <summary>One family of the contract beside the CPU: how many cases, the largest error relative to 1 + |value|, and the cases beyond their tolerance.</summary>
internal sealed record FamilyReport(string Family, int Cases, double LargestError, IReadOnlyList<string> Wrong);

/// <summary>Looks at all that CUDA needs, and tries every kernel of the contract on every device.</summary>
internal static class Doctor
{
    /// <summary>Sizes that units of 16 bytes fit; <see cref="KernelSizes.Odd"/> are those that nothing fits. Both small: the processor does the same beside it.</summary>
    private static readonly KernelSizes Even = new(N: 96, C: 64, V: 128, B: 3, H: 4, KvHeads: 2, D: 16, E: 8, K: 2, F: 32);

    /// <summary>The whole examination.</summary>
    public static DoctorReport Examine()
    {
        PtxModule[] modules = [.. Ptx.All.Select(ptx => new PtxModule(ptx.File, ptx.Kernels().Count(), SourceHash(ptx)))];
        Version? driver = null;
        try
        {
            driver = CudaDriver.Version;
            DeviceReport[] devices = [.. CudaDriver.Devices().Select(Test)];
            return new DoctorReport(CudaDriver.Bindings, modules, driver, devices, null, devices.Any(device => device.Failed));
        }
        catch (CudaFailure e)
        {
            return new DoctorReport(CudaDriver.Bindings, modules, driver, [], e.Message, Failed: !e.NoDevice);
        }
    }

    /// <summary>Every kernel case on one device. After a failure of the driver the device answers nothing more: the test ends there.</summary>
    private static DeviceReport Test(CudaDeviceInfo info)
    {
        List<FamilyReport> families = [];
        Version? blas = null;
        System.Diagnostics.Stopwatch clock = System.Diagnostics.Stopwatch.StartNew();
        try
        {
            using CudaBackend device = new(info.Index);
            using CpuBackend cpu = new();
            blas = device.BlasVersion;
            foreach (IGrouping<string, KernelCase> family in Cases().GroupBy(c => c.Family))
            {
                (KernelCase Case, double Error)[] errors = [.. family.Select(c => (c, c.ErrorOn(device, cpu)))];
                families.Add(new FamilyReport(
                    family.Key, errors.Length, errors.Max(e => e.Error), [.. errors.Where(e => !(e.Error <= e.Case.Tolerance)).Select(e => e.Case.Name).Distinct()]));
            }

            return new DeviceReport(info, blas, families, clock.Elapsed, null);
        }
        catch (TinyMoEException e)
        {
            return new DeviceReport(info, blas, families, clock.Elapsed, e.Message);
        }
    }

    private static IEnumerable<KernelCase> Cases() =>
        from sizes in (KernelSizes[])[Even, KernelSizes.Odd]
        from adds in (bool[])[false, true]
        from c in KernelCaseList.Of(sizes, adds)
        select c;

    private static string SourceHash(Ptx ptx)
    {
        const string Mark = "// source-sha256: ";
        return ptx.Text.Split('\n').Take(10).FirstOrDefault(line => line.StartsWith(Mark, StringComparison.Ordinal))?[Mark.Length..].Trim()
            ?? throw new InvalidOperationException($"{ptx.File} does not say which source it was made from.");
    }
}
