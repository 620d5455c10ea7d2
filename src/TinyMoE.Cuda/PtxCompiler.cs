using System.Text;

namespace TinyMoE.Cuda;

/// <summary>The driver's compiler: PTX to a loaded module. What it has to say of an error is in the error's line.</summary>
internal static unsafe class PtxCompiler
{
    private const int LogSize = 8 * 1024, MostOfLog = 300;

    private static readonly CUJITOption[] Options = [CUJITOption.ErrorLogBuffer, CUJITOption.ErrorLogBufferSizeBytes];

    /// <summary>Loads a module; whoever loads it unloads it.</summary>
    /// <exception cref="TinyMoEException">The driver is too old for it, cannot compile it, or has no memory for it.</exception>
    public static CUmodule Load(Ptx ptx, CudaDevice device)
    {
        byte[] image = Encoding.ASCII.GetBytes(ptx.Text + '\0');
        byte* log = stackalloc byte[LogSize];
        *log = 0;
        CUmodule module = default;
        CUResult result = Load(ref module, image, log);
        if (result == CUResult.ErrorOutOfMemory && device.Reclaim())
            result = Load(ref module, image, log);
        if (result == CUResult.UnsupportedPTXVersion)
            throw new CudaFailure(
                $"The CUDA driver of {device.Info} is too old for the PTX of {ptx.File}. Update the driver, or use the CPU.");
        if (result == CUResult.ErrorOutOfMemory)
            throw device.Failure("Loading", $" {ptx.File}", result);
        if (result != CUResult.Success)
            throw device.Failure($"Compiling {ptx.File}", "", $"{CudaErrors.NameOf(result)}{Said(log)}");
        return module;
    }

    private static CUResult Load(ref CUmodule module, byte[] image, byte* log)
    {
        IntPtr[] values = [(nint)log, LogSize]; // the driver puts back how much it wrote: new ones each time
        return Driver.ModuleManagement.cuModuleLoadDataEx(ref module, image, (uint)Options.Length, Options, values);
    }

    /// <summary>The beginning of the log on one line, after a colon; nothing where it is empty.</summary>
    private static string Said(byte* log)
    {
        ReadOnlySpan<byte> bytes = new(log, LogSize);
        int end = bytes.IndexOf((byte)0);
        string text = CudaErrors.OneLine(Encoding.ASCII.GetString(end < 0 ? bytes : bytes[..end]))!;
        return text.Length == 0 ? "" : $": {(text.Length > MostOfLog ? text[..MostOfLog] + "..." : text)}";
    }
}
