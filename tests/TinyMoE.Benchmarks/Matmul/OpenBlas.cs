using System.Runtime.InteropServices;

namespace TinyMoE.Benchmarks;

/// <summary>The system's OpenBLAS, running the kernel that it holds best for this processor, or that the width asked for has.</summary>
internal sealed unsafe partial class OpenBlas
{
    private const int RowMajor = 101, Plain = 111, Transposed = 112;

    /// <summary>They choose a kernel other than its own choice.</summary>
    private static readonly string[] Settings = ["OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"];

    private static readonly string[] Names = ["libopenblas.so.0", "libopenblas.so", "libopenblas.dylib", "libopenblas.dll"];

    private readonly delegate* unmanaged<int, void> setThreads;
    private readonly delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void> multiply;
    private readonly delegate* unmanaged<int, int, int, int, float, float*, int, float*, int, float, float*, int, void> multiplyVector;

    private OpenBlas(nint library)
    {
        setThreads = (delegate* unmanaged<int, void>)NativeLibrary.GetExport(library, "openblas_set_num_threads");
        multiply = (delegate* unmanaged<int, int, int, int, int, int, float, float*, int, float*, int, float, float*, int, void>)
            NativeLibrary.GetExport(library, "cblas_sgemm");
        multiplyVector = (delegate* unmanaged<int, int, int, int, float, float*, int, float*, int, float, float*, int, void>)
            NativeLibrary.GetExport(library, "cblas_sgemv");
        string[]? words = Text(library, "openblas_get_config")?.Split(' ');
        string name = words is [string product, string version, ..] ? $"{product} {version}" : "OpenBLAS";
        Kernel = Text(library, "openblas_get_corename");
        Description = $"{name}, kernel {Kernel ?? "unknown"}";
    }

    /// <summary>The kernel that it chose, by its name of a processor.</summary>
    public string? Kernel { get; }

    /// <summary>Name, version and the kernel it chose.</summary>
    public string Description { get; }

    /// <summary>
    /// Loads it where the system has it, without the <see cref="Settings"/> unless this process was started for a width of vectors and has
    /// those of it; the environment of the native side is another than .NET's.
    /// </summary>
    public static OpenBlas? Load()
    {
        foreach (string setting in VectorWidth.IsSet ? [] : Settings)
        {
            Environment.SetEnvironmentVariable(setting, null);
            if (!OperatingSystem.IsWindows())
                _ = UnsetEnvironment(setting);
        }
        foreach (string name in Names)
        {
            if (NativeLibrary.TryLoad(name, out nint library))
                return new OpenBlas(library);
        }
        return null;
    }

    public void SetThreads(int threads) => setThreads(threads);

    /// <summary>c = op(a)·op(b); a vector times a matrix by its kernel for that. Row strides are those of what lies in memory.</summary>
    public void Multiply(
        bool transposeA, bool transposeB, int rows, int columns, int inner, float* a, int aRow, float* b, int bRow, float* c, int cRow)
    {
        if (rows == 1 && !transposeA)
            multiplyVector(
                RowMajor, transposeB ? Plain : Transposed, transposeB ? columns : inner, transposeB ? inner : columns,
                1f, b, bRow, a, 1, 0f, c, 1);
        else
            multiply(
                RowMajor, transposeA ? Transposed : Plain, transposeB ? Transposed : Plain, rows, columns, inner,
                1f, a, aRow, b, bRow, 0f, c, cRow);
    }

    private static string? Text(nint library, string function) => NativeLibrary.TryGetExport(library, function, out nint address)
        ? Marshal.PtrToStringUTF8((nint)((delegate* unmanaged<byte*>)address)())
        : null;

    [LibraryImport("libc", EntryPoint = "unsetenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int UnsetEnvironment(string name);
}
