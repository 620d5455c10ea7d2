using TinyMoE.Backends;
using TinyMoE.Memory;

namespace TinyMoE.Cuda;

// Work that is recorded: the stream captures what the calls put on it, and the driver makes a graph of that, which is launched as a whole.
// A graph keeps every argument as it was, so nothing may be in it that the host changes later (staged uploads), and nothing that the host
// waits for. Numbers that differ from launch to launch lie in device memory.
public sealed unsafe partial class CudaBackend : IRecorder
{
    /// <inheritdoc/>
    public override IRecorder? Recorder => options.Graph == GraphUse.Off ? null : this;

    /// <inheritdoc/>
    bool IRecorder.IsRequired => options.Graph == GraphUse.On;

    /// <inheritdoc/>
    IRecording IRecorder.Record(Action work)
    {
        device.MakeCurrent();
        int live = Pool.LiveBuffers;
        HashSet<DeviceBuffer> buffers = [];
        Pool.Watched = buffers;
        CUgraph graph = default;
        try
        {
            blas.KeepWorkspace();
            device.BeginRecording();
            work();
            graph = device.EndRecording();
            if (Pool.LiveBuffers != live)
                throw new NotRecordableException("some of the work keeps its memory for later");
            return new CudaRecording(device, publishedOffsets, graph, buffers);
        }
        catch (CudaFailure e)
        {
            throw new NotRecordableException($"the driver does not record it: {e.Message}", e);
        }
        finally
        {
            Pool.Watched = null;
            device.AbandonRecording();
            if (graph.Pointer != 0)
                _ = Driver.GraphManagment.cuGraphDestroy(graph);
        }
    }
}
