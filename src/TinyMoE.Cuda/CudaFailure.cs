namespace TinyMoE.Cuda;

/// <summary>A call of the CUDA driver or of cuBLAS that failed. The message is one line:
/// the call, its sizes, the device, the memory left, and the error's name.</summary>
public sealed class CudaFailure : TinyMoEException
{
    internal CudaFailure(string message)
        : base(message)
    {
    }

    internal CudaFailure(string message, Exception inner)
        : base(message, inner)
    {
    }

    /// <summary>True where the machine simply has no CUDA driver or device; false where it has one that cannot be used.</summary>
    public bool NoDevice { get; init; }
}
