using System.Diagnostics;

namespace TinyMoE.Cuda;

/// <summary>The PTX modules that the card can run, loaded once for each backend (the driver compiles them for its
/// card, and keeps the result in a cache of its own), and their kernels by name: of two targets the newest one's.</summary>
internal sealed class KernelModules : IDisposable
{
    private const int MostLiterals = 1024;

    private readonly List<CUmodule> modules = [];
    private readonly List<LoadedModule> loaded = [];
    private readonly Dictionary<string, Kernel> kernels = new(StringComparer.Ordinal);

    // A launch names its kernel by a literal, which is the same object each time: found by that, no letter of it is looked at.
    private readonly Dictionary<object, Kernel> byLiteral = new(ReferenceEqualityComparer.Instance);

    public KernelModules(CudaDevice device)
    {
        try
        {
            foreach (Ptx ptx in Ptx.For(device.Info.ComputeCapability))
                Load(ptx, device);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The kernel of this name.</summary>
    public Kernel this[string name] => byLiteral.TryGetValue(name, out Kernel? kernel) ? kernel : Find(name);

    /// <summary>Whether the card has a kernel of this name: some are for newer ones only.</summary>
    public bool Has(string name) => kernels.ContainsKey(name);

    /// <summary>What was loaded, in order.</summary>
    public IReadOnlyList<LoadedModule> Modules => loaded;

    /// <summary>Compiles every module once more and drops it; how long the driver took. Nothing that it compiled before serves,
    /// since a comment makes each text another.</summary>
    public static TimeSpan CompileAnew(CudaDevice device)
    {
        string comment = $"\n// {Guid.NewGuid():N}\n";
        long started = Stopwatch.GetTimestamp();
        foreach (Ptx ptx in Ptx.For(device.Info.ComputeCapability))
            _ = Driver.ModuleManagement.cuModuleUnload(PtxCompiler.Load(ptx with { Text = ptx.Text + comment }, device));
        return Stopwatch.GetElapsedTime(started);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (CUmodule module in modules)
            _ = Driver.ModuleManagement.cuModuleUnload(module);
        modules.Clear();
        kernels.Clear();
        byLiteral.Clear();
    }

    private Kernel Find(string name)
    {
        if (!kernels.TryGetValue(name, out Kernel? kernel))
            throw new InvalidOperationException($"No module of native/ptx that this device can run has a kernel {name}.");
        if (byLiteral.Count < MostLiterals) // names put together at each launch would pile up
            byLiteral.Add(name, kernel);
        return kernel;
    }

    private void Load(Ptx ptx, CudaDevice device)
    {
        long started = Stopwatch.GetTimestamp();
        CUmodule module = PtxCompiler.Load(ptx, device);
        modules.Add(module);
        TimeSpan time = Stopwatch.GetElapsedTime(started);
        List<Kernel> found = [];
        foreach ((string name, int[] parameters) in ptx.Kernels())
        {
            CUfunction function = default;
            CUResult result = Driver.ModuleManagement.cuModuleGetFunction(ref function, module, name);
            if (result != CUResult.Success)
                throw device.Failure(nameof(Driver.ModuleManagement.cuModuleGetFunction), $" of {name} in {ptx.File}", result);
            found.Add(kernels[name] = new Kernel(name, function, parameters));
        }

        loaded.Add(new LoadedModule(ptx.File, time, found));
    }
}

/// <summary>A module as the driver has it.</summary>
/// <param name="File">The file of native/ptx.</param>
/// <param name="Time">How long the driver took to compile it, or to find what it had compiled before.</param>
/// <param name="Kernels">Its kernels.</param>
internal sealed record LoadedModule(string File, TimeSpan Time, IReadOnlyList<Kernel> Kernels);
