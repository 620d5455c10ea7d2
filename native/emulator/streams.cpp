#include "streams.h"

#include "driver.h"

#include <algorithm>

namespace emulator {

Point lastPoint(const std::shared_ptr<Stream>& stream) { return {stream, stream->queued}; }

void enqueue(const std::shared_ptr<Stream>& stream, Work work, std::vector<Point> after) {
    Context& context = *stream->context;

    // The default stream and the blocking streams never overlap: each waits for what the other has queued before.
    if (stream == context.defaultStream) {
        for (const auto& other : context.streams)
            if (other->blocking && !lastPoint(other).reached()) after.push_back(lastPoint(other));
    } else if (stream->blocking && !lastPoint(context.defaultStream).reached()) {
        after.push_back(lastPoint(context.defaultStream));
    }

    stream->queue.push_back({std::move(work), std::move(after)});
    stream->queued++;
    if (!driver().settings.lazy) advance(lastPoint(stream));
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
