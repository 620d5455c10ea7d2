namespace ManagedCuda.BasicTypes;

// Handles of the driver, each a pointer-sized value, and sizes as C knows them.

/// <summary>A device by its number.</summary>
public struct CUdevice
{
    /// <summary>The driver's number of it.</summary>
    public int Pointer;
}

/// <summary>A context.</summary>
public struct CUcontext
{
    /// <summary>The driver's handle.</summary>
    public IntPtr Pointer;
}

/// <summary>A loaded module.</summary>
public struct CUmodule
{
    /// <summary>The driver's handle.</summary>
    public IntPtr Pointer;
}

/// <summary>A kernel of a module.</summary>
public struct CUfunction
{
    /// <summary>The driver's handle.</summary>
    public IntPtr Pointer;
}

/// <summary>A stream.</summary>
public struct CUstream
{
    /// <summary>The driver's handle.</summary>
    public IntPtr Pointer;
}

/// <summary>An event.</summary>
public struct CUevent
{
    /// <summary>The driver's handle.</summary>
    public IntPtr Pointer;
}

/// <summary>A graph of work.</summary>
public struct CUgraph
{
    /// <summary>The driver's handle.</summary>
    public IntPtr Pointer;
}

/// <summary>A graph that can be launched.</summary>
public struct CUgraphExec
{
    /// <summary>The driver's handle.</summary>
    public IntPtr Pointer;
}

/// <summary>An address in device memory.</summary>
public struct CUdeviceptr
{
    /// <summary>The address.</summary>
    public SizeT Pointer;

    /// <summary>The address <paramref name="pointer"/>.</summary>
    public CUdeviceptr(SizeT pointer) => Pointer = pointer;
}

/// <summary>size_t of a 64-bit system, the only kind that CUDA 12 knows.</summary>
public struct SizeT
{
    private readonly ulong value;

    /// <summary>A size of 64 bits.</summary>
    public SizeT(long value) => this.value = (ulong)value;

    /// <summary>A size of 64 bits.</summary>
    public SizeT(ulong value) => this.value = value;

    /// <summary>From a signed number.</summary>
    public static implicit operator SizeT(long value) => new(value);

    /// <summary>From an unsigned number.</summary>
    public static implicit operator SizeT(ulong value) => new(value);

    /// <summary>To a signed number.</summary>
    public static implicit operator long(SizeT size) => (long)size.value;

    /// <summary>To an unsigned number.</summary>
    public static implicit operator ulong(SizeT size) => size.value;
}
