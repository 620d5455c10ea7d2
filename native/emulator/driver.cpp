#include "driver.h"

#include <cstdlib>

namespace emulator {
namespace {

thread_local Context* threadContext_ = nullptr;

/// Arithmetic of the kernels that have any in float32 or on tensor cores, in multiply-adds.
void printArithmetic() {
    std::fprintf(stderr, "\n%-44s %14s %14s %14s %14s %14s %14s\n", "multiply-adds (kernel)", "bfloat16", "tf32", "float32", "mma (warps)",
                 "bytes cp.async", "bytes small");
    for (const auto& [name, k] : driver().counters.kernels) {
        const uint64_t operations = k.bfloat16Operations + k.tf32Operations, inFloat = k.floatMultiplyAdds();
        if (operations + inFloat == 0) continue;
        std::fprintf(stderr, "%-44s %14s %14s %14s %14s %14s %14s\n", name.c_str(), std::to_string(k.bfloat16MultiplyAdds).c_str(),
                     std::to_string(k.tf32MultiplyAdds).c_str(), std::to_string(inFloat).c_str(), std::to_string(operations).c_str(),
                     std::to_string(k.asyncBytes).c_str(), std::to_string(k.smallElementBytes).c_str());
    }
    const Counts& counts = driver().counts;
    std::fprintf(stderr, "%-44s %14lld %14lld %14lld\n", "products of cuBLAS", counts.bfloat16MultiplyAdds, counts.tf32MultiplyAdds,
                 counts.floatMultiplyAdds);
}

void printActivity() {
    const Counts& counts = driver().counts;
    std::fprintf(stderr, "\nlaunches %ld, products %ld, waits %ld, allocations %ld\n", counts.launches, counts.products,
                 counts.synchronizations, counts.allocations);
    const std::pair<const char*, CopyCount> copies[] = {
        {"copies to the device", counts.toDevice}, {"copies to the host", counts.toHost}, {"copies inside it", counts.inside},
        {"fills", counts.fills}};
    for (auto [name, count] : copies)
        std::fprintf(stderr, "%-20s %10ld %14lld bytes\n", name, count.operations, count.bytes);
}

/// What a program's kernels cost, on stderr when it ends. Each "/" puts the least possible behind what was.
void printCounters() {
    const auto& kernels = driver().counters.kernels;
    if (kernels.empty()) return;
    std::fprintf(stderr, "%-44s %8s %14s %29s %29s %25s %10s %10s %10s\n", "kernel", "launches", "instructions", "bytes read/least",
                 "bytes written/least", "sectors/least", "conflicts", "divergent", "atomics");
    for (const auto& [name, k] : kernels) {
        const auto pair = [](uint64_t was, uint64_t least) { return std::to_string(was) + "/" + std::to_string(least); };
        std::fprintf(stderr, "%-44s %8s %14s %29s %29s %25s %10s %10s %10s\n", name.c_str(), std::to_string(k.launches).c_str(),
                     std::to_string(k.threadInstructions).c_str(), pair(k.bytesRead, k.leastRead).c_str(),
                     pair(k.bytesWritten, k.leastWritten).c_str(), pair(k.sectors, k.leastSectors).c_str(),
                     std::to_string(k.bankConflicts).c_str(), std::to_string(k.divergentBranches).c_str(),
                     std::to_string(k.atomics).c_str());
    }
    printArithmetic();
    printActivity();
}

} // namespace

std::string Counts::json() const {
    const std::pair<const char*, long long> values[] = {
        {"launches", launches}, {"products", products}, {"synchronizations", synchronizations}, {"allocations", allocations},
        {"copiesToDevice", toDevice.operations}, {"bytesToDevice", toDevice.bytes},
        {"copiesToHost", toHost.operations}, {"bytesToHost", toHost.bytes},
        {"copiesInside", inside.operations}, {"bytesInside", inside.bytes}, {"fills", fills.operations}, {"bytesFilled", fills.bytes},
        {"productFloatMultiplyAdds", floatMultiplyAdds}, {"productTf32MultiplyAdds", tf32MultiplyAdds},
        {"productBfloat16MultiplyAdds", bfloat16MultiplyAdds}};
    std::string text = "{";
    for (auto [key, value] : values)
        text += std::string(text.size() > 1 ? ",\"" : "\"") + key + "\":" + std::to_string(value);
    return text + "}";
}

Driver::Driver() {
    if (const char* list = std::getenv("TINYMOE_EMULATOR")) settingsError = parseSettings(list, settings);
    if (!settingsError.empty()) std::fprintf(stderr, "emulated CUDA device: TINYMOE_EMULATOR: %s\n", settingsError.c_str());
    if (settings.count) std::atexit(printCounters);
}

Driver& driver() {
    // Never destroyed: other libraries may call while the process ends.
    static Driver* const instance = new Driver;
    return *instance;
}

void* newHandle() {
    static uintptr_t last = 0x1000;
    return reinterpret_cast<void*>(last += 0x10);
}

void report(const std::string& text) {
    std::fprintf(stderr, "emulated CUDA device: %s\n", text.c_str());
    driver().findings += text;
    driver().findings += '\n';
}

void breakContext(Context& context, const Finding& finding) {
    report(finding.text);
    context.error = static_cast<CUresult>(finding.cudaError);
}

Context* threadContext() { return threadContext_; }
void setThreadContext(Context* context) { threadContext_ = context; }

CUresult currentContext(Context*& context) {
    if (!driver().initialized) return CUDA_ERROR_NOT_INITIALIZED;
    context = threadContext_;
    if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (context->retained == 0) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    return context->error;
}

std::shared_ptr<Stream> findStream(Context& context, CUstream handle) {
    if (handle == CU_STREAM_DEFAULT_NULL || handle == CU_STREAM_LEGACY) return context.defaultStream;
    auto stream = driver().streams.find(handle);
    return stream && stream->context == &context ? stream : nullptr;
}

uint64_t allocate(Context& context, size_t bytes) {
    const Settings& settings = driver().settings;
    if (++driver().counts.allocations == settings.failAllocation) return 0;
    if (bytes > settings.memory || context.memory.used() > settings.memory - bytes) return 0;
    return context.memory.allocate(bytes);
}

void clear(Context& context) {
    driver().functions.removeOf(context);
    driver().modules.removeOf(context);
    driver().events.removeOf(context);
    driver().streams.removeOf(context);
    driver().graphs.removeOf(context);
    driver().executables.removeOf(context);
    context.streams.push_back(context.defaultStream);
    for (const auto& stream : context.streams) {
        stream->queue.clear();
        stream->done = stream->queued;
    }
    context.streams.clear();
    context.defaultStream = std::make_shared<Stream>();
    context.defaultStream->context = &context;
    while (context.memory.count() > 0) context.memory.release(context.memory.live().begin()->first);
    context.error = CUDA_SUCCESS;
}

std::string outside(const Context& context, uint64_t address, size_t bytes) {
    if (context.memory.holds(address, bytes)) return {};
    const Allocation* first = context.memory.find(address);
    const uint64_t bad = first == nullptr ? address : first->address + first->bytes;
    char text[128];
    std::snprintf(text, sizeof text, "%zu bytes at 0x%llx: ", bytes, static_cast<unsigned long long>(address));
    return text + context.memory.describe(bad);
}

} // namespace emulator
