using System.Runtime.CompilerServices;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

/// <summary>One argument of a kernel, by value: its bytes as the kernel's parameter
/// has them, at the very beginning, and how many. Nothing is boxed.</summary>
internal readonly unsafe struct Argument
{
    private readonly Bytes bytes;
    private readonly nint elsewhere; // where the bytes of a large one stay; 0: they are here

    private Argument(Bytes bytes, int size) => (this.bytes, Size) = (bytes, size);

    private Argument(nint elsewhere, int size) => (this.elsewhere, Size) = (elsewhere, size);

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

    public static implicit operator Argument(View<ulong> view) => Of(view.Address);

    /// <summary>Of float32: one of another type throws.</summary>
    public static implicit operator Argument(Target target) => Of(new DeviceTarget(target.View, target.Adds));

    public static implicit operator Argument(RandomStream stream) => Of(stream);

    /// <summary>A target of whatever type the kernel is written for.</summary>
    public static Argument Typed(Target target) => Of(new DeviceTarget(target.Values, target.Adds));

    public static implicit operator Argument(StepFactors factors) => Of(factors);

    /// <summary>A struct of any size on the caller's stack, where it stays until the launch returns.</summary>
    public static Argument At<T>(T* value)
        where T : unmanaged => new((nint)value, sizeof(T));

    /// <summary>Where the bytes are, for an argument that lies at <paramref name="place"/> itself.</summary>
    public static nint AddressOf(Argument* place) => place->elsewhere == 0 ? (nint)place : place->elsewhere;

    private static Argument Of<T>(T value)
        where T : unmanaged
    {
        Bytes bytes = default;
        Unsafe.As<Bytes, T>(ref bytes) = value;
        return new Argument(bytes, Unsafe.SizeOf<T>());
    }

    /// <summary>Room for the usual arguments, aligned for any.</summary>
    [InlineArray(4)]
    private struct Bytes
    {
        private ulong first;
    }
}

/// <summary>struct StepFactors of native/kernels/optim.cu.</summary>
internal readonly record struct StepFactors(float Rate, float Root, float Keep);

/// <summary>struct Target of native/kernels/common.cuh.</summary>
internal readonly record struct DeviceTarget(nint Data, long Adds)
{
    public DeviceTarget(Values values, bool adds)
        : this(values.Address, adds ? 1 : 0)
    {
    }
}
