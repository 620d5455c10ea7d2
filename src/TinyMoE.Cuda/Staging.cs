using TinyMoE.Memory;

namespace TinyMoE.Cuda;

/// <summary>
/// Pinned host memory on the way to the device and back. A ring for uploads, so that a write returns as soon as the host has copied
/// it: a segment is taken again when its copies are done, and the host waits only when all of them are under way, which a training
/// step with its few small writes never sees. And a landing place for small downloads, whose copy then needs no help from the host.
/// </summary>
internal sealed unsafe class Staging : IDisposable
{
    private const int Segments = 16;
    private const int SegmentSize = 256 * 1024;
    private const int Alignment = 16;

    /// <summary>Most bytes of a <see cref="Download"/>.</summary>
    public const int LandingSize = 64 * 1024;

    private readonly CudaDevice device;
    private readonly CUevent[] copied = new CUevent[Segments]; // after the last copy out of each segment
    private readonly bool[] isUsed = new bool[Segments];       // whether there was one
    private nint memory;
    private int segment;
    private int used; // bytes of the current segment

    public Staging(CudaDevice device)
    {
        this.device = device;
        try
        {
            memory = device.AllocatePinned((long)Segments * SegmentSize + LandingSize);
            for (int i = 0; i < Segments; i++)
                copied[i] = device.NewEvent();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>Queues a copy of <paramref name="source"/> to the device; the source may change as soon as this returns.</summary>
    public void Upload(ReadOnlySpan<byte> source, nint destination)
    {
        device.RequireNotRecording("the host sends", source.Length); // a graph would find other bytes at the place that they pass through
        while (source.Length > 0)
        {
            bool isSplit = source.Length > SegmentSize - used && source.Length <= SegmentSize; // one copy is better than two
            if (used == SegmentSize || isSplit)
                NextSegment();
            int length = Math.Min(source.Length, SegmentSize - used);
            nint from = memory + (nint)segment * SegmentSize + used;
            source[..length].CopyTo(new Span<byte>((void*)from, length));
            CUResult result = Driver.AsynchronousMemcpy_v2.cuMemcpyHtoDAsync_v2(new CUdeviceptr(destination), from, length, device.Stream);
            if (result != CUResult.Success)
                throw device.Failure("A copy to the device", $" of {Size.Of(length)}", result);
            used = Math.Min(SegmentSize, Ceiling.Multiple(used + length, Alignment));
            source = source[length..];
            destination += length;
        }
    }

    /// <summary>Copies from the device and waits for it; at most <see cref="LandingSize"/> bytes.</summary>
    public void Download(nint source, Span<byte> destination)
    {
        device.RequireNotRecording("the host reads", destination.Length);
        nint landing = memory + (nint)Segments * SegmentSize;
        CUResult result =
            Driver.AsynchronousMemcpy_v2.cuMemcpyDtoHAsync_v2(landing, new CUdeviceptr(source), destination.Length, device.Stream);
        if (result != CUResult.Success)
            throw device.Failure("A copy from the device", $" of {Size.Of(destination.Length)}", result);
        device.Synchronize();
        new Span<byte>((void*)landing, destination.Length).CopyTo(destination);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (CUevent e in copied)
        {
            if (e.Pointer != 0)
                _ = Driver.Events.cuEventDestroy_v2(e);
        }

        if (memory != 0)
            _ = Driver.MemoryManagement.cuMemFreeHost(memory);
        memory = 0;
    }

    private void NextSegment()
    {
        device.Check(Driver.Events.cuEventRecord(copied[segment], device.Stream), nameof(Driver.Events.cuEventRecord));
        isUsed[segment] = true;
        segment = (segment + 1) % Segments;
        used = 0;
        if (isUsed[segment] && Driver.Events.cuEventQuery(copied[segment]) != CUResult.Success)
            device.WaitFor(copied[segment]);
    }
}
