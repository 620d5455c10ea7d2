using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace TinyMoE.Memory;

/// <summary>Gets raw device memory for a <see cref="MemoryPool"/> and gives it back.</summary>
public interface IDeviceAllocator
{
    /// <summary>Allocates <paramref name="bytes"/> bytes, aligned to at least 64.</summary>
    /// <exception cref="TinyMoEException">The device has no such room.</exception>
    nint Allocate(long bytes);

    /// <summary>Frees what <see cref="Allocate"/> gave.</summary>
    void Free(nint address);
}

/// <summary>A rented block of device memory; <see cref="MemoryPool.Return"/> gives it back.</summary>
public sealed class DeviceBuffer
{
    internal DeviceBuffer(nint address, long bytes)
    {
        Address = address;
        Bytes = bytes;
    }

    /// <summary>Device address of the first byte.</summary>
    public nint Address { get; }

    /// <summary>Size in bytes.</summary>
    public long Bytes { get; }

    internal bool Rented { get; set; }

    /// <summary>Whether its memory went back to the device: nobody can use it any more.</summary>
    internal bool Freed { get; set; }

    /// <summary>The origin of the rent: a method, or the layer on a tape.</summary>
    internal string Origin { get; set; } = "";

    /// <summary>The next buffer of the <see cref="BufferChain"/> that this one is in.</summary>
    internal DeviceBuffer? Next { get; set; }

    /// <summary>The first <paramref name="length"/> elements.</summary>
    public View<T> As<T>(int length)
        where T : unmanaged
    {
        if ((long)length * Unsafe.SizeOf<T>() > Bytes)
            throw new ArgumentOutOfRangeException(nameof(length), $"{length} elements do not fit a buffer of {Bytes} bytes.");
        return new View<T>(Address, length);
    }

    /// <summary>The <paramref name="length"/> elements from <paramref name="start"/> on.</summary>
    internal View<T> As<T>(long start, int length)
        where T : unmanaged
    {
        if (start < 0 || (start + length) * Unsafe.SizeOf<T>() > Bytes)
        {
            throw new ArgumentOutOfRangeException(
                nameof(start), $"Elements {start} to {start + length} are not in a buffer of {Bytes} bytes.");
        }

        return new View<T>(Address + (nint)start * Unsafe.SizeOf<T>(), length);
    }
}

/// <summary>
/// Device memory by exact size: what is returned waits for the next request of that size. Training repeats the same sizes every
/// step, so after the first step nothing is allocated. Not thread-safe: the thread that builds the tape owns it.
/// </summary>
public sealed class MemoryPool : IDisposable
{
    private readonly IDeviceAllocator allocator;
    private readonly int granularity;
    private readonly Dictionary<long, Stack<DeviceBuffer>> free = [];
    private readonly HashSet<DeviceBuffer> all = [];

    /// <summary>
    /// Creates an empty pool over <paramref name="allocator"/>; sizes are rounded up to <paramref name="granularity"/> bytes.
    /// </summary>
    public MemoryPool(IDeviceAllocator allocator, int granularity = 64) => (this.allocator, this.granularity) = (allocator, granularity);

    /// <summary>How often a request found no waiting buffer and went to the device.</summary>
    public long Misses { get; private set; }

    /// <summary>Bytes rented now.</summary>
    public long LiveBytes { get; private set; }

    /// <summary>Most bytes rented at one time.</summary>
    public long PeakBytes { get; private set; }

    /// <summary>Buffers rented now; zero after a step, or something leaked.</summary>
    public int LiveBuffers { get; private set; }

    /// <summary>Gathers the buffers that are rented while it is set: those that recorded work uses.</summary>
    internal HashSet<DeviceBuffer>? Watched { get; set; }

    /// <summary>The origin of the latest request that found no waiting buffer.</summary>
    internal string Asking { get; private set; } = "";

    /// <summary>
    /// Rents a buffer of at least <paramref name="bytes"/> bytes. Its contents are undefined. <paramref name="origin"/> names the place
    /// when the buffer leaks.
    /// </summary>
    public DeviceBuffer Rent(long bytes, [CallerMemberName] string origin = "")
    {
        long size = Math.Max(granularity, Ceiling.Multiple(bytes, granularity));
        DeviceBuffer buffer;
        if (free.TryGetValue(size, out Stack<DeviceBuffer>? waiting) && waiting.Count > 0)
        {
            buffer = waiting.Pop();
        }
        else
        {
            Misses++;
            Asking = origin;
            buffer = new DeviceBuffer(allocator.Allocate(size), size);
            all.Add(buffer);
        }

        Watched?.Add(buffer);
        buffer.Rented = true;
        buffer.Origin = origin;
        LiveBytes += size;
        LiveBuffers++;
        PeakBytes = Math.Max(PeakBytes, LiveBytes);
        return buffer;
    }

    /// <summary>Gives a buffer back. Twice is an error.</summary>
    public void Return(DeviceBuffer buffer)
    {
        if (!buffer.Rented)
            throw new InvalidOperationException($"A buffer of {buffer.Bytes} bytes was returned to the pool twice.");
        buffer.Rented = false;
        LiveBytes -= buffer.Bytes;
        LiveBuffers--;
        if (!free.TryGetValue(buffer.Bytes, out Stack<DeviceBuffer>? waiting))
            free[buffer.Bytes] = waiting = new Stack<DeviceBuffer>();
        waiting.Push(buffer);
    }

    /// <summary>Frees the buffers that wait for their next use; returns how many they were.</summary>
    public int FreeWaiting()
    {
        int freed = 0;
        foreach (Stack<DeviceBuffer> waiting in free.Values)
        {
            for (; waiting.TryPop(out DeviceBuffer? buffer); freed++)
            {
                all.Remove(buffer);
                buffer.Freed = true;
                allocator.Free(buffer.Address);
            }
        }

        return freed;
    }

    /// <summary>The origins that have rented the most: bytes and buffers by origin, the largest first.</summary>
    internal IReadOnlyList<(string Origin, long Bytes, int Buffers)> LargestOrigins(int count) =>
    [
        .. all.Where(buffer => buffer.Rented).GroupBy(buffer => buffer.Origin)
            .Select(group => (group.Key, group.Sum(buffer => buffer.Bytes), group.Count()))
            .OrderByDescending(use => use.Item2).ThenBy(use => use.Key, StringComparer.Ordinal).Take(count),
    ];

    /// <summary>
    /// Frees every buffer, rented or not. A debug build tells the debugger of each one that was never returned, and who rented it.
    /// </summary>
    public void Dispose()
    {
        foreach (DeviceBuffer buffer in all)
        {
            Debug.WriteLineIf(buffer.Rented, $"A buffer of {buffer.Bytes} bytes was never returned; it was rented by {buffer.Origin}");
            allocator.Free(buffer.Address);
        }

        all.Clear();
        free.Clear();
        LiveBytes = 0;
        LiveBuffers = 0;
    }
}
