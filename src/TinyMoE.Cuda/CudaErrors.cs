using System.Runtime.InteropServices;
using ManagedCuda.CudaBlas;

namespace TinyMoE.Cuda;

/// <summary>The names of what the driver and cuBLAS answer: their own words, and for some what usually stands behind them.</summary>
internal static class CudaErrors
{
    private delegate CUResult Words(CUResult error, ref IntPtr text);

    /// <summary>As "CUDA_ERROR_NOT_PERMITTED (operation not permitted)"; the number where this driver has no name for it.</summary>
    public static string NameOf(CUResult result)
    {
        int number = (int)result;
        string name = Ask(Driver.ErrorHandling.cuGetErrorName, result) ?? FormattableString.Invariant($"CUDA error {number}");
        string? text = Ask(Driver.ErrorHandling.cuGetErrorString, result);
        return $"{name}{(text is null ? "" : $" ({text})")}{HintAt(number)}";
    }

    /// <summary>As "CUBLAS_STATUS_NOT_SUPPORTED"; of a status that was not known
    /// when this was written the name that cuBLAS itself has, or its number.</summary>
    public static string NameOf(CublasStatus status) => (int)status switch
    {
        1 => "CUBLAS_STATUS_NOT_INITIALIZED",
        3 => "CUBLAS_STATUS_ALLOC_FAILED",
        7 => "CUBLAS_STATUS_INVALID_VALUE",
        8 => "CUBLAS_STATUS_ARCH_MISMATCH",
        11 => "CUBLAS_STATUS_MAPPING_ERROR",
        13 => "CUBLAS_STATUS_EXECUTION_FAILED",
        14 => "CUBLAS_STATUS_INTERNAL_ERROR",
        15 => "CUBLAS_STATUS_NOT_SUPPORTED",
        16 => "CUBLAS_STATUS_LICENSE_ERROR",
        int number => LoadedLibraries.CublasNameOf(number) ?? FormattableString.Invariant($"cuBLAS status {number}"),
    };

    /// <summary>What usually stands behind an error, after a comma; nothing where its name says it.</summary>
    private static string HintAt(int error) => error switch
    {
        34 => ", the libcuda that was found is the toolkit's stub, not a driver's: take its folder off the loader's path",
        46 => ", another process may have the card to itself: see nvidia-smi's compute mode",
        700 => ", a kernel of this process read or wrote outside its memory",
        716 or 719 => ", in a kernel of this process",
        802 => ", the machine's fabric manager has to run first",
        803 => ", the driver and its libcuda are of different versions: restart the machine, or install the driver again",
        804 => ", a libcuda of CUDA's forward compatibility package does not fit this card: take it off the loader's path",
        _ => "",
    };

    private static string? Ask(Words words, CUResult result)
    {
        try
        {
            IntPtr text = 0;
            return words(result, ref text) == CUResult.Success && text != 0 ? OneLine(Marshal.PtrToStringAnsi(text)) : null;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Without what would break a line or move a cursor.</summary>
    internal static string? OneLine(string? text) =>
        text is null ? null : string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
            .Select(word => new string([.. word.Where(letter => !char.IsControl(letter))])));
}
