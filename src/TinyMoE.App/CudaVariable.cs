using System.Collections;

namespace TinyMoE.App;

/// <summary>A variable of the environment that changes what a card computes, how fast, or what is loaded.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Value">Its value.</param>
/// <param name="Effect">What it does, in a few words.</param>
public sealed record CudaVariable(string Name, string Value, string Effect)
{
    // The first that a name begins with says what it does.
    private static readonly (string Start, string Effect)[] Known =
    [
        ("NVIDIA_TF32_OVERRIDE", "1 rounds float32 products to TF32 though nobody asked; 0 forbids TF32 though somebody did"),
        ("CUBLAS_WORKSPACE_CONFIG", "cuBLAS's workspace: it may choose other kernels, and so other bits"),
        ("CUBLASLT_", "cuBLAS may choose other kernels, and so other bits, or write a log"),
        ("CUBLAS_", "cuBLAS may choose other kernels, and so other bits, or write a log"),
        ("CUDA_VISIBLE_DEVICES", "which cards there are, and their numbers"),
        ("CUDA_DEVICE_ORDER", "the numbers of the cards"),
        ("CUDA_LAUNCH_BLOCKING", "the host waits for every kernel: slow"),
        ("CUDA_CACHE_", "where, whether and how much compiled PTX the driver keeps"),
        ("CUDA_FORCE_PTX_JIT", "the driver compiles PTX of others' libraries, too: slow to start, other bits"),
        ("CUDA_DISABLE_PTX_JIT", "the driver compiles no PTX: our kernels cannot be loaded"),
        ("CUDA_MODULE_LOADING", "whether kernels are loaded when they are first needed"),
        ("CUDA_DEVICE_MAX_CONNECTIONS", "how many streams the card works on at once"),
        ("CUDA_MPS_", "the card may be shared, with a part of its multiprocessors: other speed, other bits"),
        ("CUDA_PATH", "where cuBLAS is looked for"),
        ("CUDA_HOME", "where cuBLAS is looked for"),
        ("VIRTUAL_ENV", "where cuBLAS is looked for"),
        ("CONDA_PREFIX", "where cuBLAS is looked for"),
        ("LD_LIBRARY_PATH", "where the driver and cuBLAS are looked for"),
        ("TINYMOE_CUDA_LIBRARY", "the driver's library"),
        ("TINYMOE_CUBLAS_LIBRARY", "cuBLAS's library"),
        ("TINYMOE_EMULATOR", "settings of the emulated device"),
    ];

    /// <summary>All that are set, by name.</summary>
    public static IReadOnlyList<CudaVariable> Set() =>
    [
        .. from entry in Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
           let name = (string)entry.Key
           let known = Known.FirstOrDefault(variable => name.StartsWith(variable.Start, StringComparison.Ordinal))
           where known.Start is not null && entry.Value is string { Length: > 0 }
           orderby name
           select new CudaVariable(name, (string)entry.Value!, known.Effect),
    ];
}
