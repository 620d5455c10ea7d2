using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

/// <summary>An open device: its primary context, the stream that everything
/// runs on, and a second one for copies that must not wait behind it.</summary>
internal sealed class CudaDevice : IDisposable
{
    /// <summary>Whose context the driver takes the calls of this thread for.</summary>
    [ThreadStatic]
    private static CudaDevice? current;

    private readonly CUdevice device;
    private CUcontext context;

    /// <summary>Opens device number <paramref name="index"/>.</summary>
    public CudaDevice(int index)
    {
        IReadOnlyList<CudaDeviceInfo> all = CudaDriver.Devices();
        if (index < 0 || index >= all.Count)
            throw new CudaFailure(
                $"No device cuda:{index}: this machine has {(all.Count == 1 ? "one, cuda:0" : $"cuda:0 to cuda:{all.Count - 1}")}.");
        Info = all[index];
        if (Info.ComputeCapability.Major < 7)
            throw new CudaFailure(
                $"{Info} is too old: its compute capability is {Info.ComputeCapability}, TinyMoE's kernels need 7.0 (Volta) or newer.");
        device = CudaDriver.Get(index);
        Check(Driver.ContextManagement.cuDevicePrimaryCtxRetain(ref context, device),
            nameof(Driver.ContextManagement.cuDevicePrimaryCtxRetain));
        try
        {
            MakeCurrent();
            Stream = NewStream();
            CopyStream = NewStream();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The device's name and properties.</summary>
    public CudaDeviceInfo Info { get; }

    /// <summary>The stream of every kernel, product and upload: memory order is launch order.</summary>
    public CUstream Stream { get; private set; }

    /// <summary>The stream of copies to the host that kernels after them need not wait for.</summary>
    public CUstream CopyStream { get; private set; }

    /// <summary>How often the host waited for the device.</summary>
    public long Synchronizations { get; private set; }

    /// <summary>The pool of the device's memory, which keeps what it may want again; null until there is one.</summary>
    public MemoryPool? Pool { get; set; }

    /// <summary>Binds the context to this thread: the driver takes every call for the thread's own.</summary>
    public void MakeCurrent()
    {
        if (current == this)
            return;
        Check(Driver.ContextManagement.cuCtxSetCurrent(context), nameof(Driver.ContextManagement.cuCtxSetCurrent));
        current = this;
    }

    /// <summary>Whether the stream captures: what it is given is kept for a graph, and not done.</summary>
    public bool IsRecording { get; private set; }

    /// <summary>From now on the stream captures. Calls that contradict it are errors on this thread, and on this thread only.</summary>
    public void BeginRecording()
    {
        Check(Driver.Streams.cuStreamBeginCapture(Stream, CUstreamCaptureMode.Local), "cuStreamBeginCapture_v2");
        IsRecording = true;
    }

    /// <summary>The graph of what was captured.</summary>
    public CUgraph EndRecording()
    {
        CUgraph graph = default;
        IsRecording = false;
        Check(Driver.Streams.cuStreamEndCapture(Stream, ref graph), nameof(Driver.Streams.cuStreamEndCapture));
        return graph;
    }

    /// <summary>Ends a capture that nobody wants any more, if there is one.</summary>
    public void AbandonRecording()
    {
        CUgraph graph = default;
        if (IsRecording && Driver.Streams.cuStreamEndCapture(Stream, ref graph) == CUResult.Success)
            _ = Driver.GraphManagment.cuGraphDestroy(graph);
        IsRecording = false;
    }

    /// <summary>Throws while the stream captures: <paramref name="what"/> cannot be in a graph, as "the host waits".</summary>
    public void RequireNotRecording(string what)
    {
        if (IsRecording)
            throw new NotRecordableException(what);
    }

    /// <inheritdoc cref="RequireNotRecording(string)"/>
    public void RequireNotRecording(string what, long bytes)
    {
        if (IsRecording)
            throw new NotRecordableException($"{what} {Size.Of(bytes)} on its way");
    }

    /// <summary>
    /// Lets this thread make calls that the driver refuses during a capture because they do not become part of it, such as an allocation;
    /// called with what it returned, takes that back.
    /// </summary>
    public CUstreamCaptureMode Exchange(CUstreamCaptureMode mode)
    {
        Check(Driver.Streams.cuThreadExchangeStreamCaptureMode(ref mode), nameof(Driver.Streams.cuThreadExchangeStreamCaptureMode));
        return mode;
    }

    /// <summary>The host waits for all that the stream was given.</summary>
    public void Synchronize()
    {
        RequireNotRecording("the host waits for the device");
        Synchronizations++;
        Check(Driver.Streams.cuStreamSynchronize(Stream), nameof(Driver.Streams.cuStreamSynchronize));
    }

    /// <summary>The host waits for an event.</summary>
    public void WaitFor(CUevent reached)
    {
        RequireNotRecording("the host waits for the device");
        Synchronizations++;
        Check(Driver.Events.cuEventSynchronize(reached), nameof(Driver.Events.cuEventSynchronize));
    }

    /// <summary>Pinned host memory, which the device copies to and from without the host's help.</summary>
    public nint AllocatePinned(long bytes)
    {
        nint address = 0;
        CUResult result = Driver.MemoryManagement.cuMemAllocHost_v2(ref address, bytes);
        if (result == CUResult.ErrorOutOfMemory && Reclaim())
            result = Driver.MemoryManagement.cuMemAllocHost_v2(ref address, bytes);
        return result == CUResult.Success ? address
            : throw Failure(nameof(Driver.MemoryManagement.cuMemAllocHost_v2), $" of {Size.Of(bytes)} on the host", result);
    }

    /// <summary>A new event, which takes no time stamp unless it is <paramref name="timed"/>.</summary>
    public CUevent NewEvent(bool timed = false)
    {
        CUevent created = default;
        Check(Driver.Events.cuEventCreate(ref created, timed ? CUEventFlags.Default : CUEventFlags.DisableTiming),
            nameof(Driver.Events.cuEventCreate));
        return created;
    }

    /// <summary>Throws what a call failed with.</summary>
    public void Check(CUResult result, string call)
    {
        if (result != CUResult.Success)
            throw Failure(call, "", result);
    }

    /// <summary>The error of a call: <paramref name="sizes"/> are what it was called with, as " of 16 MiB".</summary>
    public CudaFailure Failure(string call, string sizes, CUResult result) => result == CUResult.ErrorOutOfMemory
        ? OutOfMemory($"{call}{sizes} found none left")
        : Failure(call, sizes, CudaErrors.NameOf(result));

    /// <inheritdoc cref="Failure(string, string, CUResult)"/>
    public CudaFailure Failure(string call, string sizes, string error)
    {
        string memory = FreeMemory() is { } free ? $"{Size.Of(free)} of {Size.Of(Info.MemoryBytes)} left"
            : "memory left unknown: the device no longer answers";
        return new CudaFailure($"{call}{sizes} failed on {Info} with {error} ({memory}).");
    }

    /// <summary>
    /// Gives the device what the pool only keeps for later, when something else has no memory left: a kernel's local memory, cuBLAS's
    /// workspace, the compiled PTX. False where there was nothing to give: then asking again is of no use. While the stream captures
    /// nothing is given: that would have to be waited for, and the pool keeps what the graph uses.
    /// </summary>
    public bool Reclaim()
    {
        if (IsRecording)
            return false;
        Drain();
        return Pool?.FreeWaiting() > 0;
    }

    /// <summary>The error of memory that is not there; <paramref name="what"/> says what for, as "500 MiB were asked for".</summary>
    public CudaFailure OutOfMemory(string what)
    {
        string free = FreeMemory() is { } left ? $"{Size.Of(left)} of {Size.Of(Info.MemoryBytes)} are free" : "what is free is unknown";
        return new CudaFailure(
            $"Out of memory on {Info}: {what}, {free}{LiveMemory()}. Use a smaller batch, context or model, or more micro-batches.");
    }

    private string LiveMemory()
    {
        if (Pool is null)
            return "";
        string live = string.Join(", ", Pool.LargestOrigins(5).Select(use => $"{use.Origin} {Size.Of(use.Bytes)} in {use.Buffers}"));
        return $", {Size.Of(Pool.LiveBytes)} are live in {Pool.LiveBuffers} buffers{(live.Length > 0 ? $" (most: {live})" : "")}";
    }

    /// <summary>Bytes free on the card, null when it does not say.</summary>
    public static long? FreeMemory()
    {
        SizeT free = default, total = default;
        return Driver.MemoryManagement.cuMemGetInfo_v2(ref free, ref total) == CUResult.Success ? (long)free : null;
    }

    /// <summary>Waits for both streams before memory is freed that their work
    /// may still use; what went wrong on them is told elsewhere.</summary>
    public void Drain()
    {
        MakeCurrent();
        Synchronizations++;
        _ = Driver.Streams.cuStreamSynchronize(Stream);
        _ = Driver.Streams.cuStreamSynchronize(CopyStream);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        // What a dead device answers to this is of no use to anybody.
        if (Stream.Pointer != 0)
            _ = Driver.Streams.cuStreamDestroy_v2(Stream);
        if (CopyStream.Pointer != 0)
            _ = Driver.Streams.cuStreamDestroy_v2(CopyStream);
        if (context.Pointer != 0)
            _ = Driver.ContextManagement.cuDevicePrimaryCtxRelease(device);
        (Stream, CopyStream, context) = (default, default, default);
        if (current == this)
            current = null;
    }

    private CUstream NewStream()
    {
        CUstream stream = default;
        Check(Driver.Streams.cuStreamCreate(ref stream, CUStreamFlags.NonBlocking), nameof(Driver.Streams.cuStreamCreate));
        return stream;
    }
}
