namespace TinyMoE.Cuda;

/// <summary>
/// Host copies of the offsets of Assignments: grouped products need their sizes on the host. A kernel that makes offsets
/// publishes them, and the copy stream fetches them as soon as that kernel is done, while the main stream goes on. The first
/// product that asks waits for this copy alone; all later ones find it here.
/// <para>
/// The copy stream reads the offsets where they lie. That memory may be given to another tensor
/// before the copy ran, when nobody asked for it: the copy is then wrong, and still unused. What
/// writes offsets anew, <see cref="Publish"/> or <see cref="Forget"/>, also drops the old copy.
/// </para>
/// </summary>
internal sealed unsafe class PublishedOffsets(CudaDevice device) : IDisposable
{
    private const int MostCopies = 256; // the oldest goes; if it is asked for again, it is read again
    private const int LeastLength = 64;

    private readonly Dictionary<nint, Copy> byAddress = [];
    private readonly List<Copy> copies = [];
    private CUevent written; // on the main stream, at the latest publication
    private int oldest;

    /// <summary>The kernel queued last made these offsets.</summary>
    public void Publish(Ints offsets)
    {
        if (written.Pointer == 0)
            written = device.NewEvent();
        Copy copy = CopyFor(offsets);
        device.Check(Driver.Events.cuEventRecord(written, device.Stream), nameof(Driver.Events.cuEventRecord));
        device.Check(Driver.Streams.cuStreamWaitEvent(device.CopyStream, written, 0), nameof(Driver.Streams.cuStreamWaitEvent));
        device.Check(
            Driver.AsynchronousMemcpy_v2.cuMemcpyDtoHAsync_v2(
            copy.Host, new CUdeviceptr(offsets.Address), (long)offsets.Length * sizeof(int), device.CopyStream),
            nameof(Driver.AsynchronousMemcpy_v2.cuMemcpyDtoHAsync_v2));
        device.Check(Driver.Events.cuEventRecord(copy.Copied, device.CopyStream), nameof(Driver.Events.cuEventRecord));
        copy.HasArrived = false;
    }

    /// <summary>The offsets on the host, good until the next call; waits when nobody did for them yet.</summary>
    public ReadOnlySpan<int> Read(Ints offsets)
    {
        if (!byAddress.TryGetValue(offsets.Address, out Copy? copy) || copy.Length < offsets.Length)
        {
            Publish(offsets); // written by hand, or long ago
            copy = byAddress[offsets.Address];
        }

        if (!copy.HasArrived)
            device.WaitFor(copy.Copied);
        copy.HasArrived = true;
        return new ReadOnlySpan<int>((void*)copy.Host, offsets.Length);
    }

    /// <summary>Somebody writes over this memory: a copy of what was there is out of date. Whoever asks, reads anew.</summary>
    public void Forget(nint address, long bytes)
    {
        foreach (Copy copy in copies)
        {
            if (copy.Address < address + (nint)bytes && address < copy.Address + (nint)copy.Length * sizeof(int))
                copy.Length = 0;
        }
    }

    /// <summary>Anything may have been written since: no copy is good any more.</summary>
    public void ForgetAll() => byAddress.Clear();

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (Copy copy in copies)
        {
            _ = Driver.Events.cuEventDestroy_v2(copy.Copied);
            _ = Driver.MemoryManagement.cuMemFreeHost(copy.Host);
        }

        if (written.Pointer != 0)
            _ = Driver.Events.cuEventDestroy_v2(written);
        written = default;
        copies.Clear();
        byAddress.Clear();
    }

    /// <summary>The copy that has this address already, or a new one, or the oldest.</summary>
    private Copy CopyFor(Ints offsets)
    {
        if (!byAddress.TryGetValue(offsets.Address, out Copy? copy))
        {
            if (copies.Count < MostCopies)
            {
                copies.Add(copy = new Copy { Copied = device.NewEvent() });
            }
            else
            {
                copy = copies[oldest];
                oldest = (oldest + 1) % MostCopies;
                if (byAddress.GetValueOrDefault(copy.Address) == copy)
                    byAddress.Remove(copy.Address);
            }

            byAddress[offsets.Address] = copy;
        }

        if (copy.Capacity < offsets.Length)
        {
            // The copy stream may still write into the old memory: it is freed only after.
            if (copy.Host != 0)
            {
                device.WaitFor(copy.Copied);
                _ = Driver.MemoryManagement.cuMemFreeHost(copy.Host);
                copy.Host = 0;
            }

            copy.Capacity = Math.Max(LeastLength, offsets.Length);
            copy.Host = device.AllocatePinned((long)copy.Capacity * sizeof(int));
        }

        (copy.Address, copy.Length) = (offsets.Address, offsets.Length);
        return copy;
    }

    private sealed class Copy
    {
        /// <summary>The device address of what it is a copy of.</summary>
        public nint Address;

        /// <summary>How many offsets; 0: of none any more.</summary>
        public int Length;

        /// <summary>Pinned memory, and how many offsets it has room for.</summary>
        public nint Host;

        /// <inheritdoc cref="Host"/>
        public int Capacity;

        /// <summary>On the copy stream, after the copy.</summary>
        public CUevent Copied;

        /// <summary>Whether somebody waited for it.</summary>
        public bool HasArrived;
    }
}
