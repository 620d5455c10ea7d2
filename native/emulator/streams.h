// Streams as queues of work. An operation runs as soon as it is queued, or, in lazy mode, only when somebody waits for it:
// then it runs with the operations before it in its stream and those that it has to come after in other streams, and
// nothing else, so that a forgotten wait shows.
#pragma once

#include "cuda_api.h"
#include "interpreter.h"

#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace emulator {

struct Context;
struct Stream;

/// A place in a stream: reached when the first `position` operations of the stream are done.
struct Point {
    std::shared_ptr<Stream> stream;
    uint64_t position = 0;

    bool reached() const;
};

using Work = std::function<std::optional<Finding>()>;

struct Operation {
    Work work;                // may be empty: only a place to wait at
    std::vector<Point> after; // points of other streams that have to be reached first
};

/// What a stream is given while it captures: nothing of it runs, it is kept for a graph.
struct Capture {
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_GLOBAL;
    std::thread::id thread;
    std::vector<Work> work;
    bool valid = true;
};

/// Captured work, done in its order as often as the graph is launched.
struct Graph {
    Context* context = nullptr;
    std::shared_ptr<const std::vector<Work>> work;
};

struct Stream {
    Context* context = nullptr;
    bool blocking = true; // takes turns with the default stream
    uint64_t queued = 0;  // operations ever queued
    uint64_t done = 0;    // of them, those that are done
    std::deque<Operation> queue;
    std::shared_ptr<Capture> capture; // null: it does its work
};

inline bool Point::reached() const { return !stream || stream->done >= position; }

struct Event {
    Context* context = nullptr;
    bool timing = true;
    Point recorded; // no stream: never recorded
    std::shared_ptr<Capture> captured; // it was recorded in this capture last
    std::chrono::steady_clock::time_point time;
};

/// Where the stream is when all that is queued now is done.
Point lastPoint(const std::shared_ptr<Stream>& stream);

/// Queues an operation behind those of the stream and, as the default stream's rules have it, of other streams.
/// Runs it at once unless the mode is lazy. A stream that captures keeps it instead; an error says that it could not.
CUresult enqueue(const std::shared_ptr<Stream>& stream, Work work, std::vector<Point> after = {});

/// Why this thread must not make a call that a capture does not see, such as an allocation: then the capture is invalid from
/// now on. A wait for a stream that captures is such a call whatever the modes are.
CUresult forbidInCapture(Context& context, const char* call);
CUresult forbidWait(const std::shared_ptr<Stream>& stream, const char* call);

/// The mode of this thread, which cuThreadExchangeStreamCaptureMode changes.
CUstreamCaptureMode& threadCaptureMode();

/// Runs operations until the point is reached, or at most `limit` of them. After a failure of the context the rest is
/// dropped unrun, as on a device whose context is broken.
void advance(const Point& point, uint64_t limit = UINT64_MAX);

/// Waits for all streams of a context.
void advanceAll(Context& context);

} // namespace emulator
