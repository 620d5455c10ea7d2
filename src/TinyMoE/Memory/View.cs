using System.Runtime.CompilerServices;

namespace TinyMoE.Memory;

/// <summary>A run of elements in device memory that somebody else owns. The
/// empty view means "none": nobody wants it, and a kernel skips it.</summary>
/// <typeparam name="T">The element: <see cref="float"/> for values,
/// <see cref="int"/> for indices, <see cref="ushort"/> for bfloat16.</typeparam>
public readonly struct View<T>
    where T : unmanaged
{
    /// <summary>Wraps <paramref name="length"/> elements at a device <paramref name="address"/>.</summary>
    public View(nint address, int length)
    {
        Address = address;
        Length = length;
    }

    /// <summary>The device address of the first element (bytes).</summary>
    public nint Address { get; }

    /// <summary>Number of elements.</summary>
    public int Length { get; }

    /// <summary>True for the empty view.</summary>
    public bool IsNone => Address == 0;

    /// <summary>The same memory as a pointer; only for a backend whose device memory is host memory.</summary>
    internal unsafe T* Pointer => (T*)Address;

    /// <summary>The same memory as a span; only for a backend whose device memory is host memory.</summary>
    internal unsafe Span<T> Span => new((void*)Address, Length);

    /// <summary>The <paramref name="length"/> elements from <paramref name="start"/> on; out of range throws.</summary>
    public View<T> Slice(int start, int length)
    {
        if ((uint)start > (uint)Length || (uint)length > (uint)(Length - start))
            throw new ArgumentOutOfRangeException(nameof(start), $"Slice {start}..{(long)start + length} of a view of {Length} elements.");
        return new View<T>(Address + (nint)start * Unsafe.SizeOf<T>(), length);
    }
}
