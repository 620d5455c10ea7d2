using System.Text;

namespace TinyMoE.Cuda;

/// <summary>The PTX modules that the card can run, loaded once for each backend (the driver compiles them for its
/// card, and keeps the result in a cache of its own), and their kernels by name: of two targets the newest one's.</summary>
internal sealed class KernelModules : IDisposable
{
    private readonly List<CUmodule> modules = [];
    private readonly Dictionary<string, Kernel> kernels = new(StringComparer.Ordinal);

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
    public Kernel this[string name] =>
        kernels.TryGetValue(name, out Kernel? kernel) ? kernel
            : throw new InvalidOperationException($"No module of native/ptx that this device can run has a kernel {name}.");

    /// <summary>Whether the card has a kernel of this name: some are for newer ones only.</summary>
    public bool Has(string name) => kernels.ContainsKey(name);

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (CUmodule module in modules)
            _ = Driver.ModuleManagement.cuModuleUnload(module);
        modules.Clear();
        kernels.Clear();
    }

    private void Load(Ptx ptx, CudaDevice device)
    {
        CUmodule module = default;
        byte[] image = Encoding.ASCII.GetBytes(ptx.Text + '\0');
        CUResult result = Driver.ModuleManagement.cuModuleLoadDataEx(ref module, image, 0, null, null);
        if (result == CUResult.UnsupportedPTXVersion)
            throw new CudaFailure(
                $"The CUDA driver of {device.Info} is too old for the PTX of {ptx.File}. Update the driver, or use the CPU.");
        if (result != CUResult.Success)
            throw device.Failure(nameof(Driver.ModuleManagement.cuModuleLoadDataEx), $" of {ptx.File}", result);
        modules.Add(module);
        foreach ((string name, int[] parameters) in ptx.Kernels())
        {
            CUfunction function = default;
            result = Driver.ModuleManagement.cuModuleGetFunction(ref function, module, name);
            if (result != CUResult.Success)
                throw device.Failure(nameof(Driver.ModuleManagement.cuModuleGetFunction), $" of {name} in {ptx.File}", result);
            kernels[name] = new Kernel(name, function, parameters);
        }
    }
}
