using System.Runtime.CompilerServices;

namespace TinyMoE.Tests.Cuda;

/// <summary>A test that needs a CUDA device, emulated or real; skipped with the reason where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class CudaFactAttribute : FactAttribute
{
    public CudaFactAttribute([CallerFilePath] string? sourceFile = null, [CallerLineNumber] int sourceLine = -1)
        : base(sourceFile, sourceLine) => Skip = TestDevice.WhyNone;
}

/// <summary>A theory that needs a CUDA device, emulated or real; skipped with the reason where there is none.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class CudaTheoryAttribute : TheoryAttribute
{
    public CudaTheoryAttribute([CallerFilePath] string? sourceFile = null, [CallerLineNumber] int sourceLine = -1)
        : base(sourceFile, sourceLine) => Skip = TestDevice.WhyNone;
}

/// <summary>A test of the emulated device itself, or of what only it can show; skipped on a real one.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class EmulatedFactAttribute : FactAttribute
{
    public EmulatedFactAttribute([CallerFilePath] string? sourceFile = null, [CallerLineNumber] int sourceLine = -1)
        : base(sourceFile, sourceLine) => Skip = TestDevice.WhyNone ?? TestDevice.WhyNotEmulated;
}

/// <summary>A theory on the emulated device itself, or on what only it can show; skipped on a real one.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class EmulatedTheoryAttribute : TheoryAttribute
{
    public EmulatedTheoryAttribute([CallerFilePath] string? sourceFile = null, [CallerLineNumber] int sourceLine = -1)
        : base(sourceFile, sourceLine) => Skip = TestDevice.WhyNone ?? TestDevice.WhyNotEmulated;
}

/// <summary>
/// Tests that use the CUDA device: one class after the other, since the emulator's settings and counts are the process's.
/// </summary>
[CollectionDefinition(Name)]
public sealed class CudaCollection
{
    public const string Name = "cuda";
}
