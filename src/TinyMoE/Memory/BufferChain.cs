namespace TinyMoE.Memory;

/// <summary>Rented buffers that go back to their pool together. The buffers
/// themselves are the links, so a chain allocates nothing.</summary>
internal struct BufferChain
{
    private DeviceBuffer? newest;

    public readonly bool IsEmpty => newest is null;

    /// <summary>Adds a buffer that is in no chain yet.</summary>
    public void Add(DeviceBuffer buffer) => (buffer.Next, newest) = (newest, buffer);

    /// <summary>Returns the buffer at this address, if it is in the chain.</summary>
    public void Return(nint address, MemoryPool pool)
    {
        DeviceBuffer? before = null, buffer = newest;
        while (buffer is not null && buffer.Address != address)
            (before, buffer) = (buffer, buffer.Next);
        if (buffer is null)
            return;
        if (before is null)
            newest = buffer.Next;
        else
            before.Next = buffer.Next;
        buffer.Next = null;
        pool.Return(buffer);
    }

    /// <summary>Returns all of them; the chain is empty after.</summary>
    public void ReturnTo(MemoryPool pool)
    {
        while (newest is { } buffer)
        {
            (newest, buffer.Next) = (buffer.Next, null);
            pool.Return(buffer);
        }
    }
}
