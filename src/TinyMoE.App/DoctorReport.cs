using TinyMoE.Cuda;

namespace TinyMoE.App;

/// <summary>A report on what this machine and this build have of CUDA.</summary>
/// <param name="Bindings">The name of the assembly behind the ManagedCuda API.</param>
/// <param name="Modules">The kernels in this build.</param>
/// <param name="Driver">The CUDA version of the driver; null: there is none, or it does not answer.</param>
/// <param name="Devices">Every device, tested.</param>
/// <param name="Failure">Why there is no device; null where there is one.</param>
/// <param name="Failed">Whether something that is there does not work.</param>
public sealed record DoctorReport(
    string Bindings, IReadOnlyList<PtxModule> Modules, Version? Driver, IReadOnlyList<DeviceReport> Devices, string? Failure, bool Failed);

/// <summary>The state of one file of native/ptx.</summary>
/// <param name="File">The name of the file.</param>
/// <param name="Kernels">How many kernels it has.</param>
/// <param name="SourceHash">The hash of the source it was made from: SHA-256, in hexadecimal.</param>
public sealed record PtxModule(string File, int Kernels, string SourceHash);

/// <summary>A report on the test of one device.</summary>
/// <param name="Device">The device.</param>
/// <param name="Blas">The version of cuBLAS; null: the test ended before it was known.</param>
/// <param name="Families">Every family of kernels that was tried.</param>
/// <param name="Time">How long the test took.</param>
/// <param name="Failure">Why the test ended before its end; null where it did not.</param>
public sealed record DeviceReport(
    CudaDeviceInfo Device, Version? Blas, IReadOnlyList<FamilyReport> Families, TimeSpan Time, string? Failure)
{
    /// <summary>Whether the device does not work, or computes something else than the processor.</summary>
    public bool Failed => Failure is not null || Families.Any(family => family.Wrong.Count > 0);
}

/// <summary>A report on one family of kernels on a device, compared with the processor.</summary>
/// <param name="Family">The name of the family.</param>
/// <param name="Cases">How many cases were tried.</param>
/// <param name="LargestError">The largest error, relative to 1 + |value|; infinite where a whole number differs.</param>
/// <param name="Wrong">The cases beyond their tolerance.</param>
public sealed record FamilyReport(string Family, int Cases, double LargestError, IReadOnlyList<string> Wrong);
