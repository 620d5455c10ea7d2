// Entry points: streams that capture, and graphs of what they captured. A capture is of one stream, so a graph is a list: the same
// closures that a stream would run, kept with their arguments, and run in their order at each launch. What they point to is looked
// at again then, so that memory freed in between and page-locked memory with new contents are seen as a card would see them.
#include "driver.h"

#include <utility>

using namespace emulator;

EMULATOR_API CUresult cuStreamBeginCapture_v2(CUstream handle, CUstreamCaptureMode mode) {
    return inContext([&](Context& context) {
        const auto stream = findStream(context, handle);
        if (!stream) return CUDA_ERROR_INVALID_HANDLE;
        if (mode < CU_STREAM_CAPTURE_MODE_GLOBAL || mode > CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_ERROR_INVALID_VALUE;
        if (stream == context.defaultStream) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
        if (stream->capture) return CUDA_ERROR_ILLEGAL_STATE;
        stream->capture = std::make_shared<Capture>();
        stream->capture->mode = mode;
        stream->capture->thread = std::this_thread::get_id();
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuStreamEndCapture(CUstream handle, CUgraph* graph) {
    return inContext([&](Context& context) {
        const auto stream = findStream(context, handle);
        if (!stream) return CUDA_ERROR_INVALID_HANDLE;
        if (graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *graph = nullptr;
        if (!stream->capture) return CUDA_ERROR_ILLEGAL_STATE;
        if (stream->capture->mode != CU_STREAM_CAPTURE_MODE_RELAXED && stream->capture->thread != std::this_thread::get_id())
            return CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
        const auto capture = std::exchange(stream->capture, nullptr);
        if (!capture->valid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        auto made = std::make_shared<Graph>();
        made->context = &context;
        made->work = std::make_shared<const std::vector<Work>>(std::move(capture->work));
        *graph = static_cast<CUgraph>(driver().graphs.add(std::move(made)));
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuStreamIsCapturing(CUstream handle, CUstreamCaptureStatus* status) {
    return inContext([&](Context& context) {
        const auto stream = findStream(context, handle);
        if (!stream) return CUDA_ERROR_INVALID_HANDLE;
        if (status == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *status = !stream->capture         ? CU_STREAM_CAPTURE_STATUS_NONE
                  : stream->capture->valid ? CU_STREAM_CAPTURE_STATUS_ACTIVE
                                           : CU_STREAM_CAPTURE_STATUS_INVALIDATED;
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode* mode) {
    return guarded([&] {
        if (mode == nullptr || *mode < CU_STREAM_CAPTURE_MODE_GLOBAL || *mode > CU_STREAM_CAPTURE_MODE_RELAXED)
            return CUDA_ERROR_INVALID_VALUE;
        std::swap(*mode, threadCaptureMode());
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuGraphInstantiateWithFlags(CUgraphExec* executable, CUgraph handle, unsigned long long flags) {
    return inContext([&](Context& context) {
        const auto graph = driver().graphs.find(handle);
        if (executable == nullptr || flags > 15) return CUDA_ERROR_INVALID_VALUE;
        if (!graph || graph->context != &context) return CUDA_ERROR_INVALID_VALUE;
        *executable = static_cast<CUgraphExec>(driver().executables.add(std::make_shared<Graph>(*graph)));
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuGraphLaunch(CUgraphExec handle, CUstream streamHandle) {
    return inContext([&](Context& context) {
        const auto graph = driver().executables.find(handle);
        const auto stream = findStream(context, streamHandle);
        if (!graph || graph->context != &context) return CUDA_ERROR_INVALID_VALUE;
        if (!stream) return CUDA_ERROR_INVALID_HANDLE;
        if (const CUresult error = forbidWait(stream, "cuGraphLaunch")) return error; // on a card it would be a graph in the graph
        driver().counts.graphLaunches++;
        driver().counts.graphNodes += static_cast<long>(graph->work->size());
        return enqueue(stream, [work = graph->work]() -> std::optional<Finding> {
            for (const Work& node : *work)
                if (auto finding = node()) return finding;
            return {};
        });
    });
}

EMULATOR_API CUresult cuGraphExecDestroy(CUgraphExec handle) {
    return inContext([&](Context&) { return driver().executables.remove(handle) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE; });
}

EMULATOR_API CUresult cuGraphDestroy(CUgraph handle) {
    return inContext([&](Context&) { return driver().graphs.remove(handle) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE; });
}
