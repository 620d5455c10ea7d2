using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Attention;

/// <summary>
/// Rows that a cache fills from the front. There is room for a few at first and for twice as many whenever it is full, up to its capacity:
/// models of others have contexts that few texts need.
/// </summary>
internal sealed class CacheRows : IDisposable
{
    private const int First = 256; // rows

    private readonly Backend backend;
    private readonly int capacity;
    private readonly int rowLength;
    private readonly ElementType type;
    private DeviceBuffer memory;
    private int room; // rows

    /// <summary>Room for the first rows, or for the <paramref name="whole"/> capacity.</summary>
    public CacheRows(Backend backend, int capacity, int rowLength, bool whole, ElementType type)
    {
        (this.backend, this.capacity, this.rowLength, this.type) = (backend, capacity, rowLength, type);
        room = whole ? capacity : Math.Min(capacity, First);
        memory = Rent(room);
    }

    /// <summary>All of the room, which has at least so many rows; the first <paramref name="used"/> are as they were.</summary>
    /// <exception cref="TinyMoEException">There is no memory for them.</exception>
    public Values WithRoom(int rows, int used)
    {
        if (rows > room)
        {
            int more = (int)Math.Min(capacity, Math.Max(rows, 2L * room));
            if ((long)more * rowLength > int.MaxValue)
                more = rows;
            DeviceBuffer larger = Rent(more);
            Values kept = In(memory, used * rowLength);
            if (used > 0)
                backend.Affine(kept, 1f, 0f, kept.Length, In(larger, kept.Length));
            backend.Pool.Return(memory);
            (memory, room) = (larger, more);
        }

        return In(memory, room * rowLength);
    }

    /// <inheritdoc/>
    public void Dispose() => backend.Pool.Return(memory);

    private Values In(DeviceBuffer buffer, int length) => Values.At(buffer.Address, length, type);

    private DeviceBuffer Rent(int rows) => (long)rows * rowLength <= int.MaxValue
        ? backend.Pool.Rent(type.BytesOf((long)rows * rowLength), "cache of tokens")
        : throw new TinyMoEException($"A cache of {rows} tokens is too large for this model; write shorter texts.");
}
