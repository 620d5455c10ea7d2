using System.Reflection;
using System.Runtime.Loader;
using TinyMoE.Cuda;
using TinyMoE.Memory;
using Floats = TinyMoE.Memory.View<float>;

namespace TinyMoE.Tests.Cuda;

/// <summary>What can go wrong with a CUDA device is told in one line that says what happened, where, and what to do.</summary>
[Collection(CudaCollection.Name)]
public sealed class ErrorTests
{
    [EmulatedFact]
    public void NoDevice_IsTold() => AssertOpeningFails("no_device", 0, "No CUDA device", "nvidia-smi", "use the CPU");

    [EmulatedFact]
    public void OldDriver_IsTold() =>
        AssertOpeningFails("old_driver", 0, "CUDA driver is too old", "knows CUDA 10.2", "needs 11.8", "Update the driver");

    [EmulatedFact]
    public void DeviceThatIsNotThere_IsTold()
    {
        AssertOpeningFails("", 1, "No device cuda:1", "one, cuda:0");
        AssertOpeningFails("devices=3", 7, "No device cuda:7", "cuda:0 to cuda:2");
        AssertOpeningFails("", -1, "No device cuda:-1");
    }

    [EmulatedFact]
    public void SecondDevice_CanBeUsed()
    {
        Emulator.Configure("devices=2");
        using CudaBackend first = new(), second = new(1);
        Assert.StartsWith("cuda:1 (", second.Name, StringComparison.Ordinal);
        foreach (CudaBackend cuda in new[] { first, second, first })
        {
            DeviceBuffer buffer = cuda.Pool.Rent(64);
            cuda.Fill(buffer.As<float>(4), 2f);
            Assert.Equal([2f, 2f, 2f, 2f], cuda.Read(buffer.As<float>(4)));
            cuda.Pool.Return(buffer);
        }

        TestDevice.RequireNoFinding();
    }

    [EmulatedFact]
    public void MissingDriver_IsTold() =>
        AssertTells(OpenWithout("TINYMOE_CUDA_LIBRARY"), "No CUDA driver", "libcuda.so.1", "Install", "use the CPU");

    [EmulatedFact]
    public void MissingCublas_IsTold() =>
        AssertTells(OpenWithout("TINYMOE_CUBLAS_LIBRARY"), "No cuBLAS", "libcublas.so.12", "Install", "use the CPU");

    [EmulatedFact]
    public void OutOfMemory_TellsWhatWasAskedForAndWhatIsLive()
    {
        Emulator.Configure("memory=512M,devices=2");
        using CudaBackend cuda = new(1); // a device on which no other test keeps memory
        DeviceBuffer large = cuda.Pool.Rent(20 << 20, "the large one"), small = cuda.Pool.Rent(3 << 20, "the small one");
        AssertTells(
            Assert.ThrowsAny<TinyMoEException>(() => cuda.Pool.Rent(500 << 20)),
            "Out of memory on cuda:1", "500 MiB were asked for", "of 512 MiB are free", "23 MiB are live in 2 buffers",
            "the large one 20 MiB in 1, the small one 3 MiB in 1", "smaller batch");
        cuda.Pool.Return(large);
        cuda.Pool.Return(small);
        long free = CudaDevice.FreeMemory()!.Value; // other tests may have a backend that lives on
        cuda.Pool.Return(cuda.Pool.Rent(free + (10 << 20))); // the pool gave back what it only kept for later
    }

    [EmulatedFact]
    public void FailedAllocation_LeavesTheBackendUsable()
    {
        using CudaBackend cuda = TestDevice.NewBackend();
        Emulator.Configure("fail_alloc=1");
        AssertTells(Record(() => cuda.Pool.Rent(1 << 20)) ?? Record(() => cuda.Pool.Rent(1 << 21)), "cuda:0", "MiB");
        Emulator.Configure("");
        cuda.Pool.Return(cuda.Pool.Rent(1 << 20));
    }

    [EmulatedFact]
    public void FailedLaunch_TellsKernelSizesAndMemory()
    {
        using CudaBackend cuda = TestDevice.NewBackend();
        DeviceBuffer buffer = cuda.Pool.Rent(1024);
        Floats x = buffer.As<float>(64), y = buffer.As<float>(256).Slice(128, 64);
        Emulator.Configure("fail_launch=1");
        AssertTells(
            Record(() => CopyTwice(cuda, x, y)),
            "The launch of copy_columns (1 x 1 x 1 blocks of 256 threads) failed on cuda:0", "CUDA_ERROR_",
            "memory left unknown: the device no longer answers");
        Emulator.Configure("");
        cuda.Pool.Return(buffer);
    }

    [EmulatedFact]
    public void FailedProduct_TellsCallSizesAndMemory()
    {
        using CudaBackend cuda = TestDevice.NewBackend();
        DeviceBuffer buffer = cuda.Pool.Rent(1024);
        Floats x = buffer.As<float>(64);
        AssertTells(
            Assert.ThrowsAny<TinyMoEException>(() => cuda.MatMul(x, false, x, true, 1, -3, 4, 5, x)),
            "cublasSgemm of -3x4x5 NT failed on cuda:0", "CUBLAS_STATUS_INVALID_VALUE", "left)");
        cuda.Pool.Return(buffer);
    }

    [EmulatedTheory]
    [InlineData(TensorCores.Tf32, "tf32")]
    [InlineData(TensorCores.Bfloat16, "bfloat16")]
    public void TensorCoresThatACardLacks_AreTold(TensorCores mode, string name)
    {
        Emulator.Configure("capability=7.5");
        AssertTells(
            Record(() => new CudaBackend(0, new CudaOptions { TensorCores = mode }).Dispose()),
            "cuda:0", $"has no tensor cores for {name}", "compute capability is 7.5", "8.0 (Ampere)", "--tensor-cores off");
        Emulator.Configure("");
    }

    [EmulatedFact]
    public void PtxThatDoesNotCompile_TellsTheCompilersWords()
    {
        Emulator.Configure("");
        using CudaDevice device = new(0);
        device.MakeCurrent();
        Ptx broken = new("broken.ptx", ".version 7.8\n.target sm_70\n.address_size 64\n.visible .entry k()\n{\n nonsense.u32;\n}\n");
        AssertTells(
            Record(() => PtxCompiler.Load(broken, device)),
            "Compiling broken.ptx failed on cuda:0", "CUDA_ERROR_INVALID_PTX (a PTX JIT compilation failed): ", "nonsense");
        Emulator.Configure("");
    }

    [Fact]
    public void Names_OfWhatNobodyKnows_AreNumbers()
    {
        Assert.Equal("CUDA error 12345", CudaErrors.NameOf((ManagedCuda.BasicTypes.CUResult)12345));
        Assert.Equal("cuBLAS status 5", CudaErrors.NameOf((ManagedCuda.CudaBlas.CublasStatus)5));
        Assert.Contains("versions", CudaErrors.NameOf((ManagedCuda.BasicTypes.CUResult)803), StringComparison.Ordinal);
    }

    [EmulatedFact]
    public void Names_AreTheDriversOwn() =>
        Assert.Equal("CUDA_ERROR_NOT_PERMITTED (operation not permitted)", CudaErrors.NameOf((ManagedCuda.BasicTypes.CUResult)800));

    private static void CopyTwice(CudaBackend cuda, Floats x, Floats y)
    {
        cuda.CopyColumns(x, 8, 0, 8, 8, 8, 0, y);
        cuda.CopyColumns(x, 8, 0, 8, 8, 8, 0, y);
    }

    private static void AssertOpeningFails(string settings, int device, params string[] parts)
    {
        Emulator.Configure(settings);
        try
        {
            AssertTells(Record(() => new CudaBackend(device).Dispose()), parts);
        }
        finally
        {
            Emulator.Configure("");
        }
    }

    /// <summary>
    /// The error of opening a device with a library that cannot be loaded: bindings
    /// and backend are loaded a second time, since a process finds its libraries once.
    /// </summary>
    private static Exception? OpenWithout(string variable)
    {
        Emulator.Configure("");
        string? library = Environment.GetEnvironmentVariable(variable);
        Environment.SetEnvironmentVariable(variable, Path.Combine(AppContext.BaseDirectory, "no-such-library"));
        try
        {
            Assembly bindings = new SecondBindings().LoadFromAssemblyName(typeof(CudaBackend).Assembly.GetName());
            Type backend = bindings.GetType(typeof(CudaBackend).FullName!)!;
            Exception? error = Record(() => Activator.CreateInstance(backend, 0, null));
            return (error as TargetInvocationException)?.InnerException;
        }
        finally
        {
            Environment.SetEnvironmentVariable(variable, library);
        }
    }

    private static Exception? Record(Action action) => Xunit.Record.Exception(action);

    private static void AssertTells(Exception? error, params string[] parts)
    {
        TinyMoEException told = Assert.IsAssignableFrom<TinyMoEException>(error);
        Assert.DoesNotContain('\n', told.Message);
        foreach (string part in parts)
            Assert.Contains(part, told.Message, StringComparison.Ordinal);
    }

    private sealed class SecondBindings : AssemblyLoadContext
    {
        protected override Assembly? Load(AssemblyName assemblyName) =>
            assemblyName.Name is "TinyMoE.Cuda" or "ManagedCuda.Subset"
                ? LoadFromAssemblyPath(Path.Combine(AppContext.BaseDirectory, assemblyName.Name + ".dll"))
                : null;
    }
}
