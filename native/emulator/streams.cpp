#include "streams.h"

#include "driver.h"

#include <algorithm>

namespace emulator {
namespace {

CUresult invalidate(Capture& capture, const char* call, const char* why, CUresult error) {
    report(std::string(call) + ": " + why);
    capture.valid = false;
    return error;
}

} // namespace

Point lastPoint(const std::shared_ptr<Stream>& stream) { return {stream, stream->queued}; }

CUresult enqueue(const std::shared_ptr<Stream>& stream, Work work, std::vector<Point> after) {
    Context& context = *stream->context;
    if (stream->capture) {
        if (!stream->capture->valid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        if (work) stream->capture->work.push_back(std::move(work));
        return CUDA_SUCCESS;
    }

    // The default stream and the blocking streams never overlap: each waits for what the other has queued before.
    if (stream == context.defaultStream) {
        for (const auto& other : context.streams) {
            if (!other->blocking) continue;
            if (other->capture)
                return invalidate(*other->capture, "the default stream", "a stream that does not go its own way captures",
                                  CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
            if (!lastPoint(other).reached()) after.push_back(lastPoint(other));
        }
    } else if (stream->blocking && !lastPoint(context.defaultStream).reached()) {
        after.push_back(lastPoint(context.defaultStream));
    }

    stream->queue.push_back({std::move(work), std::move(after)});
    stream->queued++;
    if (!driver().settings.lazy) advance(lastPoint(stream));
    return CUDA_SUCCESS;
}

CUresult forbidInCapture(Context& context, const char* call) {
    if (threadCaptureMode() == CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_SUCCESS;
    for (const auto& stream : context.streams) {
        if (!stream->capture || stream->capture->mode == CU_STREAM_CAPTURE_MODE_RELAXED) continue;
        const bool own = stream->capture->thread == std::this_thread::get_id();
        const bool global = stream->capture->mode == CU_STREAM_CAPTURE_MODE_GLOBAL && threadCaptureMode() == CU_STREAM_CAPTURE_MODE_GLOBAL;
        if (own || global)
            return invalidate(*stream->capture, call, "a stream captures, which does not see it", CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
    }
    return CUDA_SUCCESS;
}

CUresult forbidWait(const std::shared_ptr<Stream>& stream, const char* call) {
    if (!stream->capture) return CUDA_SUCCESS;
    return invalidate(*stream->capture, call, "the stream captures, so that nothing happens in it", CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
}

CUstreamCaptureMode& threadCaptureMode() {
    static thread_local CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
    return mode;
}

void advance(const Point& point, uint64_t limit) {
    // What has to be reached, the innermost last. An operation comes only after earlier ones, so there are no circles.
    std::vector<Point> wanted = {point};
    while (!wanted.empty() && limit > 0) {
        if (wanted.back().reached()) {
            wanted.pop_back();
            continue;
        }
        Stream& stream = *wanted.back().stream;
        const auto& after = stream.queue.front().after;
        const auto missing = std::find_if(after.begin(), after.end(), [](const Point& p) { return !p.reached(); });
        if (missing != after.end()) {
            wanted.push_back(Point(*missing));
            continue;
        }

        const Operation operation = std::move(stream.queue.front());
        stream.queue.pop_front();
        stream.done++;
        limit--;
        if (!operation.work || stream.context->error != CUDA_SUCCESS) continue;
        if (const auto finding = operation.work()) breakContext(*stream.context, *finding);
    }
}

void advanceAll(Context& context) {
    advance(lastPoint(context.defaultStream));
    for (const auto& stream : context.streams) advance(lastPoint(stream));

    // Destroyed streams stay in the list until their work is done; nobody else holds them.
    std::erase_if(context.streams, [](const auto& stream) { return stream.use_count() == 1 && stream->queue.empty(); });
}

} // namespace emulator
