// Entry points: device memory, page-locked host memory, copies and fills.
//
// Waiting is as documented for the driver: a copy between device and host without a stream goes through the default stream and
// is waited for; an asynchronous copy waits only where its target is pageable host memory; fills and copies inside the device
// never wait; memory cannot be freed while work that may use it is on its way.
#include "driver.h"

#include <cstring>

using namespace emulator;

namespace {

constexpr int freshByte = 0xCB; // what memory holds that nobody wrote

Finding badRange(const char* call, const char* what, const std::string& why, CUresult error) {
    return {error, std::string(call) + ": " + what + " is not inside one allocation: " + why};
}

/// The page-locked allocation that an address lies in, or null: pageable memory.
const HostAllocation* findHost(const void* pointer) {
    const auto& all = driver().hostMemory;
    const auto address = reinterpret_cast<uintptr_t>(pointer);
    const auto next = all.upper_bound(address);
    if (next == all.begin()) return nullptr;
    const auto& [start, allocation] = *std::prev(next);
    return address - start < allocation.size ? &allocation : nullptr;
}

/// Tells of a copy or a fill that would leave its allocation. True: all is well.
bool checkDevice(Context& context, const char* call, const char* what, CUdeviceptr address, size_t bytes) {
    const std::string why = outside(context, address, bytes);
    if (!why.empty()) report(badRange(call, what, why, CUDA_ERROR_INVALID_VALUE).text);
    return why.empty();
}

bool checkHost(const char* call, const void* pointer, size_t bytes) {
    const HostAllocation* host = findHost(pointer);
    if (host == nullptr || bytes <= host->size - (static_cast<const std::byte*>(pointer) - host->bytes.get())) return true;
    report(std::string(call) + ": " + std::to_string(bytes) + " bytes pass the end of page-locked memory of " + std::to_string(host->size));
    return false;
}

/// When its turn comes the memory may have been freed, so device ranges are looked at again.
std::optional<Finding> stillThere(Context& context, const char* call, CUdeviceptr address, size_t bytes) {
    const std::string why = outside(context, address, bytes);
    if (why.empty()) return {};
    return badRange(call, "device memory", why, CUDA_ERROR_ILLEGAL_ADDRESS);
}

CUresult copyToDevice(Context& context, const char* call, CUdeviceptr to, const void* from, size_t bytes, CUstream handle, bool wait) {
    const auto stream = findStream(context, handle);
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    if (bytes == 0) return CUDA_SUCCESS;
    if (from == nullptr || !checkDevice(context, call, "the target", to, bytes) || !checkHost(call, from, bytes))
        return CUDA_ERROR_INVALID_VALUE;

    // Page-locked memory is read when the copy runs, so a host that changes it too early is found out; pageable memory is
    // read at once, into a copy of it.
    std::shared_ptr<std::byte[]> keep;
    if (const CUresult error = wait ? forbidInCapture(context, call) : CUDA_SUCCESS) return error;
    if (stream->capture && findHost(from) == nullptr) return forbidWait(stream, call); // a graph would read it long after
    if (const HostAllocation* host = findHost(from)) {
        keep = host->bytes;
    } else if (driver().settings.lazy && !wait) {
        keep.reset(new std::byte[bytes]);
        std::memcpy(keep.get(), from, bytes);
        from = keep.get();
    }
    const CUresult queued = enqueue(stream, [&context, call, to, from, bytes, keep]() -> std::optional<Finding> {
        if (auto finding = stillThere(context, call, to, bytes)) return finding;
        std::memcpy(reinterpret_cast<void*>(to), from, bytes);
        driver().counts.toDevice.add(bytes);
        return {};
    });
    if (queued != CUDA_SUCCESS) return queued;
    if (wait) {
        driver().counts.synchronizations++;
        advance(lastPoint(stream));
    }
    return CUDA_SUCCESS;
}

CUresult copyToHost(Context& context, const char* call, void* to, CUdeviceptr from, size_t bytes, CUstream handle, bool wait) {
    const auto stream = findStream(context, handle);
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    if (bytes == 0) return CUDA_SUCCESS;
    if (to == nullptr || !checkDevice(context, call, "the source", from, bytes) || !checkHost(call, to, bytes))
        return CUDA_ERROR_INVALID_VALUE;

    std::shared_ptr<std::byte[]> keep;
    if (const CUresult error = wait ? forbidInCapture(context, call) : CUDA_SUCCESS) return error;
    if (stream->capture && findHost(to) == nullptr) return forbidWait(stream, call);
    if (const HostAllocation* host = findHost(to)) {
        keep = host->bytes;
        // Nobody may look at the target before the copy was waited for: what was there goes, unless a copy still needs it.
        if (driver().settings.lazy && !wait && !stream->capture && keep.use_count() == 2) std::memset(to, freshByte, bytes);
    } else {
        wait = true;
    }
    const CUresult queued = enqueue(stream, [&context, call, to, from, bytes, keep]() -> std::optional<Finding> {
        if (auto finding = stillThere(context, call, from, bytes)) return finding;
        std::memcpy(to, reinterpret_cast<const void*>(from), bytes);
        driver().counts.toHost.add(bytes);
        return {};
    });
    if (queued != CUDA_SUCCESS) return queued;
    if (wait) {
        driver().counts.synchronizations++;
        advance(lastPoint(stream));
    }
    return CUDA_SUCCESS;
}

CUresult copyInside(Context& context, const char* call, CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream handle) {
    const auto stream = findStream(context, handle);
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    if (bytes == 0) return CUDA_SUCCESS;
    if (!checkDevice(context, call, "the source", from, bytes) || !checkDevice(context, call, "the target", to, bytes))
        return CUDA_ERROR_INVALID_VALUE;
    if (from < to + bytes && to < from + bytes) {
        report(std::string(call) + ": source and target overlap");
        return CUDA_ERROR_INVALID_VALUE;
    }
    return enqueue(stream, [&context, call, to, from, bytes]() -> std::optional<Finding> {
        if (auto finding = stillThere(context, call, from, bytes)) return finding;
        if (auto finding = stillThere(context, call, to, bytes)) return finding;
        std::memcpy(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes);
        driver().counts.inside.add(bytes);
        return {};
    });
}

template <typename Value>
CUresult fill(Context& context, const char* call, CUdeviceptr to, Value value, size_t count, CUstream handle) {
    const auto stream = findStream(context, handle);
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    if (count == 0) return CUDA_SUCCESS;
    if (to % sizeof(Value) != 0 || count > SIZE_MAX / sizeof(Value)) return CUDA_ERROR_INVALID_VALUE;
    const size_t bytes = count * sizeof(Value);
    if (!checkDevice(context, call, "the target", to, bytes)) return CUDA_ERROR_INVALID_VALUE;
    return enqueue(stream, [&context, call, to, value, count, bytes]() -> std::optional<Finding> {
        if (auto finding = stillThere(context, call, to, bytes)) return finding;
        std::fill_n(reinterpret_cast<Value*>(to), count, value);
        driver().counts.fills.add(bytes);
        return {};
    });
}

CUresult allocateHost(Context& context, void** pointer, size_t bytes) {
    if (const CUresult error = forbidInCapture(context, "cuMemAllocHost")) return error;
    if (pointer == nullptr || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    HostAllocation allocation{std::shared_ptr<std::byte[]>(new std::byte[bytes]), bytes};
    std::memset(allocation.bytes.get(), freshByte, bytes);
    *pointer = allocation.bytes.get();
    driver().hostMemory.emplace(reinterpret_cast<uintptr_t>(*pointer), std::move(allocation));
    return CUDA_SUCCESS;
}

} // namespace

EMULATOR_API CUresult cuMemAlloc_v2(CUdeviceptr* address, size_t bytes) {
    return inContext([&](Context& context) {
        if (const CUresult error = forbidInCapture(context, "cuMemAlloc")) return error;
        if (address == nullptr || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
        *address = allocate(context, bytes);
        return *address == 0 ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;
    });
}

// The memory is there at once; only its end has a turn in the stream.
EMULATOR_API CUresult cuMemAllocAsync(CUdeviceptr* address, size_t bytes, CUstream stream) {
    return inContext([&](Context& context) {
        const auto found = findStream(context, stream);
        if (!found) return CUDA_ERROR_INVALID_HANDLE;
        if (const CUresult error = forbidWait(found, "cuMemAllocAsync")) return error; // on a card it would be a node of the graph
        if (address == nullptr || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
        *address = allocate(context, bytes);
        return *address == 0 ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuMemFree_v2(CUdeviceptr address) {
    return inContext([&](Context& context) {
        if (address == 0) return CUDA_SUCCESS;
        if (const CUresult error = forbidInCapture(context, "cuMemFree")) return error;
        driver().counts.synchronizations++;
        advanceAll(context);
        if (context.memory.release(address)) return CUDA_SUCCESS;
        report("cuMemFree: " + context.memory.describe(address));
        return CUDA_ERROR_INVALID_VALUE;
    });
}

EMULATOR_API CUresult cuMemFreeAsync(CUdeviceptr address, CUstream handle) {
    return inContext([&](Context& context) {
        const auto stream = findStream(context, handle);
        if (!stream) return CUDA_ERROR_INVALID_HANDLE;
        const Allocation* allocation = context.memory.find(address);
        if (allocation == nullptr || allocation->address != address) {
            report("cuMemFreeAsync: " + context.memory.describe(address));
            return CUDA_ERROR_INVALID_VALUE;
        }
        return enqueue(stream, [&context, address]() -> std::optional<Finding> {
            if (context.memory.release(address)) return {};
            return Finding{CUDA_ERROR_ILLEGAL_ADDRESS, "cuMemFreeAsync: " + context.memory.describe(address)};
        });
    });
}

EMULATOR_API CUresult cuMemGetInfo_v2(size_t* free, size_t* total) {
    return inContext([&](Context& context) {
        if (free == nullptr || total == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *total = driver().settings.memory;
        *free = *total - std::min(*total, context.memory.used());
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuMemGetAddressRange_v2(CUdeviceptr* base, size_t* bytes, CUdeviceptr address) {
    return inContext([&](Context& context) {
        const Allocation* allocation = context.memory.find(address);
        if (allocation == nullptr) return CUDA_ERROR_NOT_FOUND;
        if (base != nullptr) *base = allocation->address;
        if (bytes != nullptr) *bytes = allocation->bytes;
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuMemAllocHost_v2(void** pointer, size_t bytes) {
    return inContext([&](Context& context) { return allocateHost(context, pointer, bytes); });
}

EMULATOR_API CUresult cuMemHostAlloc(void** pointer, size_t bytes, unsigned) {
    return inContext([&](Context& context) { return allocateHost(context, pointer, bytes); });
}

EMULATOR_API CUresult cuMemFreeHost(void* pointer) {
    return inContext([&](Context& context) {
        const auto allocation = driver().hostMemory.find(reinterpret_cast<uintptr_t>(pointer));
        if (allocation == driver().hostMemory.end()) return CUDA_ERROR_INVALID_VALUE;
        if (const CUresult error = forbidInCapture(context, "cuMemFreeHost")) return error;
        driver().counts.synchronizations++;
        advanceAll(context);
        driver().hostMemory.erase(allocation);
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t bytes) {
    return inContext([&](Context& context) { return copyToDevice(context, "cuMemcpyHtoD", to, from, bytes, nullptr, true); });
}

EMULATOR_API CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t bytes, CUstream stream) {
    return inContext([&](Context& context) { return copyToDevice(context, "cuMemcpyHtoDAsync", to, from, bytes, stream, false); });
}

EMULATOR_API CUresult cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t bytes) {
    return inContext([&](Context& context) { return copyToHost(context, "cuMemcpyDtoH", to, from, bytes, nullptr, true); });
}

EMULATOR_API CUresult cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t bytes, CUstream stream) {
    return inContext([&](Context& context) { return copyToHost(context, "cuMemcpyDtoHAsync", to, from, bytes, stream, false); });
}

EMULATOR_API CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
    return inContext([&](Context& context) { return copyInside(context, "cuMemcpyDtoD", to, from, bytes, nullptr); });
}

EMULATOR_API CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
    return inContext([&](Context& context) { return copyInside(context, "cuMemcpyDtoDAsync", to, from, bytes, stream); });
}

EMULATOR_API CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count) {
    return inContext([&](Context& context) { return fill(context, "cuMemsetD8", to, value, count, nullptr); });
}

EMULATOR_API CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream) {
    return inContext([&](Context& context) { return fill(context, "cuMemsetD8Async", to, value, count, stream); });
}

EMULATOR_API CUresult cuMemsetD16_v2(CUdeviceptr to, unsigned short value, size_t count) {
    return inContext([&](Context& context) { return fill(context, "cuMemsetD16", to, value, count, nullptr); });
}

EMULATOR_API CUresult cuMemsetD16Async(CUdeviceptr to, unsigned short value, size_t count, CUstream stream) {
    return inContext([&](Context& context) { return fill(context, "cuMemsetD16Async", to, value, count, stream); });
}

EMULATOR_API CUresult cuMemsetD32_v2(CUdeviceptr to, unsigned value, size_t count) {
    return inContext([&](Context& context) { return fill(context, "cuMemsetD32", to, value, count, nullptr); });
}

EMULATOR_API CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream stream) {
    return inContext([&](Context& context) { return fill(context, "cuMemsetD32Async", to, value, count, stream); });
}
