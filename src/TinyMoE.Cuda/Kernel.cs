namespace TinyMoE.Cuda;

/// <summary>A kernel of a loaded module.</summary>
/// <param name="Name">Its name in the PTX.</param>
/// <param name="Function">The driver's handle.</param>
/// <param name="Parameters">Bytes of each parameter, as the PTX declares them.</param>
internal sealed record Kernel(string Name, CUfunction Function, int[] Parameters)
{
    /// <summary>Bytes of dynamic shared memory that a launch may ask for: above 48 KB a kernel must be allowed more first.</summary>
    public int SharedLimit { get; set; } = 48 << 10;
}
