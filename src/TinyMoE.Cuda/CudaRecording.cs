using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

/// <summary>
/// A CUDA graph. Its buffers wait in the pool like any other: what others put there between two launches is over when a launch comes, for
/// all of it is on one stream, and nobody expects to find it afterwards. A launch while one is rented would overwrite what its owner has.
/// </summary>
internal sealed class CudaRecording : IRecording
{
    private readonly CudaDevice device;
    private readonly PublishedOffsets publishedOffsets;
    private readonly DeviceBuffer[] buffers;
    private CUgraphExec graph;

    /// <summary>Makes a graph ready to be launched; it may be destroyed after.</summary>
    /// <exception cref="CudaFailure">The driver refuses.</exception>
    public CudaRecording(CudaDevice device, PublishedOffsets publishedOffsets, CUgraph graph, IEnumerable<DeviceBuffer> buffers)
    {
        (this.device, this.publishedOffsets, this.buffers) = (device, publishedOffsets, [.. buffers]);
        device.Check(
            Driver.GraphManagment.cuGraphInstantiate(ref this.graph, graph, CUgraphInstantiate_flags.None), "cuGraphInstantiateWithFlags");
    }

    /// <inheritdoc/>
    public bool CanRun => graph.Pointer != 0 && Array.TrueForAll(buffers, buffer => !buffer.Rented && !buffer.Freed);

    /// <inheritdoc/>
    public void Run()
    {
        if (!CanRun)
            throw new InvalidOperationException("Recorded work cannot run while its memory is somebody else's.");
        device.MakeCurrent();
        publishedOffsets.ForgetAll(); // the graph writes offsets anew
        device.Check(Driver.GraphManagment.cuGraphLaunch(graph, device.Stream), nameof(Driver.GraphManagment.cuGraphLaunch));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (graph.Pointer == 0)
            return;
        device.MakeCurrent();
        _ = Driver.GraphManagment.cuGraphExecDestroy(graph); // a launch that is under way ends as if it were there
        graph = default;
    }
}
