using System.Runtime.CompilerServices;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

/// <summary>One argument of a kernel, by value: its bytes as the kernel's parameter has them, at the very beginning, and how many. Nothing is boxed.</summary>
internal readonly struct Argument
{
    private readonly Bytes bytes;

    private Argument(Bytes bytes, int size) => (this.bytes, Size) = (bytes, size);

    /// <summary>Bytes of the parameter; a launch checks them against the PTX.</summary>
    public int Size { get; }

    public static implicit operator Argument(int value) => Of(value);

    public static implicit operator Argument(uint value) => Of(value);

    public static implicit operator Argument(long value) => Of(value);

    public static implicit operator Argument(ulong value) => Of(value);

    public static implicit operator Argument(float value) => Of(value);

    /// <summary>An int, 0 or 1.</summary>
    public static implicit operator Argument(bool value) => Of(value ? 1 : 0);

    public static implicit operator Argument(Floats view) => Of(view.Address);

    public static implicit operator Argument(Ints view) => Of(view.Address);

    public static implicit operator Argument(Bfloat16s view) => Of(view.Address);

    public static implicit operator Argument(View<double> view) => Of(view.Address);

    public static implicit operator Argument(Target target) => Of(new DeviceTarget(target.View.Address, target.Adds ? 1 : 0));

    public static implicit operator Argument(RandomStream stream) => Of(stream);

    private static Argument Of<T>(T value)
        where T : unmanaged
    {
        Bytes bytes = default;
        Unsafe.As<Bytes, T>(ref bytes) = value;
        return new Argument(bytes, Unsafe.SizeOf<T>());
    }

    /// <summary>Room for the largest argument, aligned for any.</summary>
    [InlineArray(3)]
    private struct Bytes
    {
        private ulong first;
    }

    /// <summary>struct Target of native/kernels/common.cuh.</summary>
    private readonly record struct DeviceTarget(nint Data, long Adds);
}
