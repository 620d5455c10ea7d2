using System.Runtime.InteropServices;
using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Tensors;

/// <summary>
/// What a step needs from the host, at places that are the same in every step: gathered on the host first, then brought to the device in
/// one copy. What finds no room goes by itself, and has room from the next time on.
/// </summary>
internal sealed class InputBlock(Backend backend) : IDisposable
{
    private const int Alignment = 16; // bytes, so that kernels may read four values at a time

    private DeviceBuffer? buffer;
    private byte[] host = [];
    private int used;
    private int wanted; // bytes, of what found room and of what did not

    /// <summary>Forgets what was placed. The device may still read it: what comes next is copied behind that.</summary>
    public void Begin()
    {
        if (wanted > host.Length)
        {
            Dispose();
            buffer = backend.Pool.Rent(wanted);
            host = new byte[wanted];
        }

        used = wanted = 0;
    }

    /// <summary>A place for values, which are there after <see cref="Upload"/>; false where there is no room.</summary>
    public bool TryPlace<T>(ReadOnlySpan<T> values, out View<T> place)
        where T : unmanaged
    {
        ReadOnlySpan<byte> bytes = MemoryMarshal.AsBytes(values);
        wanted = Ceiling.Multiple(wanted, Alignment) + bytes.Length;
        int start = Ceiling.Multiple(used, Alignment);
        place = default;
        if (buffer is null || start + bytes.Length > host.Length)
            return false;
        bytes.CopyTo(host.AsSpan(start));
        used = start + bytes.Length;
        place = new View<T>(buffer.Address + start, values.Length);
        return true;
    }

    /// <summary>Brings all that was placed to the device.</summary>
    public void Upload()
    {
        if (used > 0)
            backend.Write<byte>(host.AsSpan(0, used), buffer!.As<byte>(used));
    }

    /// <summary>Gives the device's memory back.</summary>
    public void Dispose()
    {
        if (buffer is not null)
            backend.Pool.Return(buffer);
        buffer = null;
    }
}
