// The state of the emulated driver, and what every entry point begins with. One mutex guards all of it: entry points
// lock it (`guarded`, `inContext`), everything below them may take it as held.
#pragma once

#include "counters.h"
#include "cuda_api.h"
#include "interpreter.h"
#include "memory.h"
#include "settings.h"
#include "streams.h"

#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

namespace emulator {

/// Objects that the user knows by handle. A handle is never given out twice, so that one of a destroyed object, or of
/// another kind of object, is told from a good one.
template <typename T>
class Handles {
public:
    void* add(std::shared_ptr<T> object);
    std::shared_ptr<T> find(const void* handle) const {
        const auto place = live_.find(handle);
        return place == live_.end() ? nullptr : place->second;
    }
    bool remove(const void* handle) { return live_.erase(handle) > 0; }
    void removeOf(const Context& context) {
        std::erase_if(live_, [&](const auto& entry) { return entry.second->context == &context; });
    }

private:
    std::unordered_map<const void*, std::shared_ptr<T>> live_;
};

struct LoadedModule {
    Context* context = nullptr;
    std::shared_ptr<const Module> module;
    std::map<std::string, CUfunction> functions; // those asked for so far
};

struct Function {
    Context* context = nullptr;
    std::shared_ptr<LoadedModule> owner;
    const Kernel* kernel = nullptr;
    size_t dynamicSharedLimit = 0;
};

/// The primary context of a device; there are no others. It lives while somebody retains it.
struct Context {
    CUdevice device = 0;
    int retained = 0;
    CUresult error = CUDA_SUCCESS; // what broke it: every later call gives it
    DeviceMemory memory{SIZE_MAX}; // the device's size is watched by `allocate`
    std::shared_ptr<Stream> defaultStream;
    std::vector<std::shared_ptr<Stream>> streams; // all others
};

/// Page-locked host memory. Copies that wait in a stream hold it too, so its use count tells whether there are any.
struct HostAllocation {
    std::shared_ptr<std::byte[]> bytes;
    size_t size = 0;
};

/// What a copy engine does: how often, and how many bytes.
struct CopyCount {
    long operations = 0;
    long long bytes = 0;

    void add(size_t more) {
        operations++;
        bytes += static_cast<long long>(more);
    }
};

/// What the tests count, from the moment the settings were made.
struct Counts {
    long synchronizations = 0; // calls that made the host wait for the device
    long launches = 0;
    long products = 0; // matrix products through cuBLAS, a batch or a group list being one
    long grouped = 0;  // calls for group lists
    long allocations = 0;
    long graphLaunches = 0;
    long graphNodes = 0; // of the launched graphs
    long modules = 0; // loads
    CopyCount toDevice, toHost, inside, fills; // done
    long long floatMultiplyAdds = 0;           // of products that ran
    long long tf32MultiplyAdds = 0;
    long long bfloat16MultiplyAdds = 0;

    /// A JSON object of all of them.
    std::string json() const;
};

struct Driver {
    std::mutex mutex;
    Settings settings;
    std::string settingsError; // of the environment variable
    bool initialized = false;
    std::vector<std::unique_ptr<Context>> contexts; // by device
    Handles<Stream> streams;
    Handles<Event> events;
    Handles<LoadedModule> modules;
    Handles<Function> functions;
    Handles<Graph> graphs;
    Handles<Graph> executables; // of graphs
    std::map<uintptr_t, HostAllocation> hostMemory; // by address
    Counts counts;
    Counters counters;
    std::string findings;

    Driver();
};

Driver& driver();

/// A number that no handle had before.
void* newHandle();

/// Tells a finding on stderr and keeps it for tinymoe_emulator_findings.
void report(const std::string& text);

/// Tells the finding and makes every later call in the context fail with its error.
void breakContext(Context& context, const Finding& finding);

/// The context of this thread, or why there is none to work in (a broken context gives its error).
CUresult currentContext(Context*& context);
Context* threadContext();
void setThreadContext(Context* context);

/// The stream behind a handle of the context: the default stream for null; null where it is none.
std::shared_ptr<Stream> findStream(Context& context, CUstream handle);

/// Allocates device memory within the device's size and the fault settings; 0 = out of memory.
uint64_t allocate(Context& context, size_t bytes);

/// Ends all of a context: its memory, streams, events and modules.
void clear(Context& context);

/// Why [address, address + bytes) is not inside one live allocation; empty: it is.
std::string outside(const Context& context, uint64_t address, size_t bytes);

template <typename T>
void* Handles<T>::add(std::shared_ptr<T> object) {
    void* handle = newHandle();
    live_.emplace(handle, std::move(object));
    return handle;
}

/// Runs the body of an entry point under the lock.
template <typename Body>
CUresult guarded(Body body) {
    std::lock_guard lock(driver().mutex);
    try {
        return body();
    } catch (const std::bad_alloc&) {
        return CUDA_ERROR_OUT_OF_MEMORY;
    } catch (const std::exception& error) {
        report(std::string("inside the emulator: ") + error.what());
        return CUDA_ERROR_UNKNOWN;
    }
}

/// Runs the body of an entry point that needs a current, unbroken context; work that ran inside may have broken it.
template <typename Body>
CUresult inContext(Body body) {
    return guarded([&] {
        Context* context = nullptr;
        if (const CUresult error = currentContext(context)) return error;
        const CUresult result = body(*context);
        return result == CUDA_SUCCESS ? context->error : result;
    });
}

} // namespace emulator
