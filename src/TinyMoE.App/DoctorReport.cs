using TinyMoE.Cuda;

namespace TinyMoE.App;

/// <summary>A report on what this machine and this build have of CUDA.</summary>
/// <param name="Bindings">The name of the assembly behind the ManagedCuda API.</param>
/// <param name="Modules">The kernels in this build.</param>
/// <param name="Driver">The CUDA version of the driver; null: there is none, or it does not answer.</param>
/// <param name="DriverPath">The file that the driver was loaded from; null: there is none, or the system does not tell.</param>
/// <param name="Environment">Variables of the environment that change what a card computes, how fast, or what is loaded.</param>
/// <param name="Devices">Every device, tested.</param>
/// <param name="Failure">Why there is no device; null where there is one.</param>
/// <param name="Failed">Whether something that is there does not work.</param>
public sealed record DoctorReport(
    string Bindings, IReadOnlyList<PtxModule> Modules, Version? Driver, string? DriverPath, IReadOnlyList<CudaVariable> Environment,
    IReadOnlyList<DeviceReport> Devices, string? Failure, bool Failed);

/// <summary>The state of one file of native/ptx.</summary>
/// <param name="File">The name of the file.</param>
/// <param name="Kernels">How many kernels it has.</param>
/// <param name="SourceHash">The hash of the source it was made from: SHA-256, in hexadecimal.</param>
public sealed record PtxModule(string File, int Kernels, string SourceHash);

/// <summary>A report on the test of one device.</summary>
/// <param name="Device">The device.</param>
public sealed record DeviceReport(CudaDeviceInfo Device)
{
    /// <summary>The version of cuBLAS; null: the test ended before it was known.</summary>
    public Version? Blas { get; init; }

    /// <summary>The file that cuBLAS was loaded from; null where the system does not tell.</summary>
    public string? BlasPath { get; init; }

    /// <summary>How long the driver took to compile each module, or
    /// to find what it had compiled before; empty: the test ended earlier.</summary>
    public IReadOnlyList<CompiledModule> Modules { get; init; } = [];

    /// <summary>How long the driver takes to compile all modules anew; null: nobody asked.</summary>
    public TimeSpan? ColdCompilation { get; init; }

    /// <summary>Every kernel as the driver compiled it.</summary>
    public IReadOnlyList<KernelReport> Kernels { get; init; } = [];

    /// <summary>Every family of kernels that was tried, in each mode.</summary>
    public IReadOnlyList<FamilyReport> Families { get; init; } = [];

    /// <summary>The ways to multiply for experts, measured; null: nobody asked, or the device failed before.</summary>
    public TuningReport? Tuning { get; init; }

    /// <summary>What is no failure and yet worth knowing, a line each.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>How long the test took.</summary>
    public TimeSpan Time { get; init; }

    /// <summary>Why the test ended before its end; null where it did not.</summary>
    public string? Failure { get; init; }

    /// <summary>How long the driver took for all modules when the device was opened.</summary>
    public TimeSpan Compilation => Modules.Aggregate(TimeSpan.Zero, (sum, module) => sum + module.Time);

    /// <summary>Whether the device does not work, or computes something else than the processor.</summary>
    public bool Failed => Failure is not null || Families.Any(family => family.Wrong.Count > 0);
}

/// <summary>A module that the driver compiled.</summary>
/// <param name="File">The file of native/ptx.</param>
/// <param name="Time">How long it took, or took to find what it had compiled before.</param>
public sealed record CompiledModule(string File, TimeSpan Time);

/// <summary>A report on one family of kernels on a device in one mode, compared with the processor.</summary>
/// <param name="Family">The name of the family.</param>
/// <param name="TensorCores">What was rounded for speed.</param>
/// <param name="Grouped">How products of experts were multiplied.</param>
/// <param name="Cases">How many cases were tried.</param>
/// <param name="LargestError">The largest error, relative to 1 + |value|; infinite where a whole number differs.</param>
/// <param name="Tolerance">The largest error that any of them may have.</param>
/// <param name="Wrong">The cases beyond their tolerance.</param>
public sealed record FamilyReport(
    string Family, TensorCores TensorCores, GroupedProducts Grouped, int Cases, double LargestError, double Tolerance,
    IReadOnlyList<string> Wrong);
