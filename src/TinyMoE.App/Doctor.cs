using System.Diagnostics;
using TinyMoE.Backends;
using TinyMoE.Backends.Cpu;
using TinyMoE.Cuda;

namespace TinyMoE.App;

/// <summary>Looks at all that CUDA needs, and tries every kernel of the contract on every device.</summary>
public static class Doctor
{
    /// <summary>
    /// Sizes that units of 16 bytes fit; <see cref="KernelSizes.Odd"/> are those that nothing fits. Both are small, since the processor
    /// computes the same beside the device.
    /// </summary>
    private static readonly KernelSizes Even = new(N: 96, C: 64, V: 128, B: 3, H: 4, KvHeads: 2, D: 16, E: 8, K: 2, F: 32);

    /// <summary>The whole examination. Each device is told to <paramref name="onDevice"/> as soon as it is tested.</summary>
    public static DoctorReport Examine(Action<DeviceReport>? onDevice = null)
    {
        PtxModule[] modules = [.. Ptx.All.Select(ptx => new PtxModule(ptx.File, ptx.Kernels().Count(), SourceHash(ptx)))];
        Version? driver = null;
        try
        {
            driver = CudaDriver.Version;
            List<DeviceReport> devices = [];
            foreach (CudaDeviceInfo info in CudaDriver.Devices())
            {
                devices.Add(Test(info));
                onDevice?.Invoke(devices[^1]);
            }

            return new DoctorReport(CudaDriver.Bindings, modules, driver, devices, null, devices.Any(device => device.Failed));
        }
        catch (CudaFailure e)
        {
            return new DoctorReport(CudaDriver.Bindings, modules, driver, [], e.Message, Failed: !e.NoDevice);
        }
    }

    /// <summary>Every kernel case on one device. The first failure of the driver ends the test: the device answers nothing more.</summary>
    private static DeviceReport Test(CudaDeviceInfo info)
    {
        List<FamilyReport> families = [];
        Version? blas = null;
        Stopwatch clock = Stopwatch.StartNew();
        try
        {
            using CudaBackend device = new(info.Index);
            using CpuBackend cpu = new();
            blas = device.BlasVersion;
            foreach (IGrouping<string, KernelCase> family in Cases().GroupBy(c => c.Family))
            {
                (KernelCase Case, double Error)[] errors = [.. family.Select(c => (c, c.ErrorOn(device, cpu)))];
                IEnumerable<string> wrong = errors.Where(e => !(e.Error <= e.Case.Tolerance)).Select(e => e.Case.Name).Distinct();
                families.Add(new FamilyReport(family.Key, errors.Length, errors.Max(e => e.Error), [.. wrong]));
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
        string? found = ptx.Text.Split('\n').Take(10).FirstOrDefault(line => line.StartsWith(Mark, StringComparison.Ordinal));
        return found?[Mark.Length..].Trim()
            ?? throw new InvalidOperationException($"{ptx.File} does not say which source it was made from.");
    }
}
