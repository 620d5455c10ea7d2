// Entry points: streams and events.
#include "driver.h"

using namespace emulator;

namespace {

/// A query does one operation of what it asks about, so that a loop of queries comes to an end in lazy mode too.
CUresult query(const Point& point) {
    if (point.reached()) return CUDA_SUCCESS;
    advance(point, 1);
    return CUDA_ERROR_NOT_READY;
}

/// An event of a capture never happens: what is asked about it is refused, and the capture is over if it still goes on.
CUresult forbidCaptured(Event& event, const char* call) {
    if (!event.captured) return CUDA_SUCCESS;
    report(std::string(call) + ": the event was recorded in a stream that captures");
    event.captured->valid = false;
    return CUDA_ERROR_CAPTURED_EVENT;
}

} // namespace

EMULATOR_API CUresult cuStreamCreate(CUstream* handle, unsigned flags) {
    return inContext([&](Context& context) {
        if (handle == nullptr || flags > CU_STREAM_NON_BLOCKING) return CUDA_ERROR_INVALID_VALUE;
        auto stream = std::make_shared<Stream>();
        stream->context = &context;
        stream->blocking = flags != CU_STREAM_NON_BLOCKING;
        context.streams.push_back(stream);
        *handle = static_cast<CUstream>(driver().streams.add(stream));
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuStreamCreateWithPriority(CUstream* handle, unsigned flags, int) { return cuStreamCreate(handle, flags); }

// The work that the stream has still runs when somebody waits for the context.
EMULATOR_API CUresult cuStreamDestroy_v2(CUstream handle) {
    return inContext([&](Context&) { return driver().streams.remove(handle) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE; });
}

EMULATOR_API CUresult cuStreamSynchronize(CUstream handle) {
    return inContext([&](Context& context) {
        const auto stream = findStream(context, handle);
        if (!stream) return CUDA_ERROR_INVALID_HANDLE;
        if (const CUresult error = forbidWait(stream, "cuStreamSynchronize")) return error;
        driver().counts.synchronizations++;
        advance(lastPoint(stream));
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuStreamQuery(CUstream handle) {
    return inContext([&](Context& context) {
        const auto stream = findStream(context, handle);
        if (!stream) return CUDA_ERROR_INVALID_HANDLE;
        if (const CUresult error = forbidWait(stream, "cuStreamQuery")) return error;
        return query(lastPoint(stream));
    });
}

EMULATOR_API CUresult cuStreamWaitEvent(CUstream handle, CUevent eventHandle, unsigned) {
    return inContext([&](Context& context) {
        const auto stream = findStream(context, handle);
        const auto event = driver().events.find(eventHandle);
        if (!stream || !event) return CUDA_ERROR_INVALID_HANDLE;
        if (event->captured && event->captured == stream->capture) return CUDA_SUCCESS; // in the order of its own stream
        if (event->captured) { // on a card the stream would join the capture; here a capture is of one stream
            event->captured->valid = false;
            report("cuStreamWaitEvent: the event was captured, and the emulator follows a capture in its own stream only");
            return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
        }
        if (stream->capture) {
            const CUresult error = forbidWait(stream, "cuStreamWaitEvent");
            return error == CUDA_SUCCESS ? error : CUDA_ERROR_STREAM_CAPTURE_ISOLATION;
        }
        return event->recorded.reached() ? CUDA_SUCCESS : enqueue(stream, nullptr, {event->recorded});
    });
}

EMULATOR_API CUresult cuEventCreate(CUevent* handle, unsigned flags) {
    return inContext([&](Context& context) {
        if (handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
        auto event = std::make_shared<Event>();
        event->context = &context;
        event->timing = (flags & CU_EVENT_DISABLE_TIMING) == 0;
        *handle = static_cast<CUevent>(driver().events.add(std::move(event)));
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuEventDestroy_v2(CUevent handle) {
    return inContext([&](Context&) { return driver().events.remove(handle) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE; });
}

EMULATOR_API CUresult cuEventRecord(CUevent handle, CUstream streamHandle) {
    return inContext([&](Context& context) {
        const auto stream = findStream(context, streamHandle);
        const auto event = driver().events.find(handle);
        if (!stream || !event || event->context != &context) return CUDA_ERROR_INVALID_HANDLE;
        event->captured = stream->capture;
        if (stream->capture) return stream->capture->valid ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        if (const CUresult error = enqueue(stream, [event]() -> std::optional<Finding> {
                event->time = std::chrono::steady_clock::now();
                return {};
            }))
            return error;
        event->recorded = lastPoint(stream);
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuEventSynchronize(CUevent handle) {
    return inContext([&](Context&) {
        const auto event = driver().events.find(handle);
        if (!event) return CUDA_ERROR_INVALID_HANDLE;
        if (const CUresult error = forbidCaptured(*event, "cuEventSynchronize")) return error;
        driver().counts.synchronizations++;
        advance(event->recorded);
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuEventQuery(CUevent handle) {
    return inContext([&](Context&) {
        const auto event = driver().events.find(handle);
        if (!event) return CUDA_ERROR_INVALID_HANDLE;
        if (const CUresult error = forbidCaptured(*event, "cuEventQuery")) return error;
        return query(event->recorded);
    });
}

EMULATOR_API CUresult cuEventElapsedTime(float* milliseconds, CUevent startHandle, CUevent endHandle) {
    return inContext([&](Context&) {
        const auto start = driver().events.find(startHandle), end = driver().events.find(endHandle);
        if (!start || !end || !start->timing || !end->timing || !start->recorded.stream || !end->recorded.stream)
            return CUDA_ERROR_INVALID_HANDLE;
        if (milliseconds == nullptr) return CUDA_ERROR_INVALID_VALUE;
        if (!start->recorded.reached() || !end->recorded.reached()) return CUDA_ERROR_NOT_READY;
        *milliseconds = std::chrono::duration<float, std::milli>(end->time - start->time).count();
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuEventElapsedTime_v2(float* milliseconds, CUevent start, CUevent end) {
    return cuEventElapsedTime(milliseconds, start, end);
}
