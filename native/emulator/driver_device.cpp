// Entry points: start, devices and their attributes, contexts, error names.
#include "cards.h"
#include "driver.h"

#include <cstdio>
#include <cstring>

using namespace emulator;

namespace {

// The device's contexts come into being when a device is first asked for; more devices may be configured later.
Context& contextOf(CUdevice device) {
    auto& contexts = driver().contexts;
    while (contexts.size() <= static_cast<size_t>(device)) {
        auto context = std::make_unique<Context>();
        context->device = static_cast<CUdevice>(contexts.size());
        context->defaultStream = std::make_shared<Stream>();
        context->defaultStream->context = context.get();
        contexts.push_back(std::move(context));
    }
    return *contexts[device];
}

/// Runs a body that needs the driver started and a device that there is.
template <typename Body>
CUresult onDevice(CUdevice device, Body body) {
    return guarded([&] {
        if (!driver().initialized) return CUDA_ERROR_NOT_INITIALIZED;
        if (device < 0 || device >= driver().settings.devices) return CUDA_ERROR_INVALID_DEVICE;
        return body();
    });
}

// A plausible card of the compute capability in the settings.
int attributeOf(CUdevice device, int attribute) {
    switch (attribute) {
        case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK: return 1024;
        case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X: return 1024;
        case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y: return 1024;
        case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z: return 64;
        case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X: return 0x7fffffff;
        case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y: return 65535;
        case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z: return 65535;
        case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: return 48 << 10;
        case CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY: return 64 << 10;
        case CU_DEVICE_ATTRIBUTE_WARP_SIZE: return 32;
        case CU_DEVICE_ATTRIBUTE_MAX_PITCH: return 0x7fffffff;
        case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK: return 65536;
        case CU_DEVICE_ATTRIBUTE_CLOCK_RATE: return card().clock;
        case CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT: return 512;
        case CU_DEVICE_ATTRIBUTE_GPU_OVERLAP: return 1;
        case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT: return card().multiprocessors;
        case CU_DEVICE_ATTRIBUTE_CAN_MAP_HOST_MEMORY: return 0;
        case CU_DEVICE_ATTRIBUTE_CONCURRENT_KERNELS: return 1;
        case CU_DEVICE_ATTRIBUTE_PCI_BUS_ID: return device + 1;
        case CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE: return card().memoryClock;
        case CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH: return card().busWidth;
        case CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE: return static_cast<int>(card().secondLevelCache);
        case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR: return card().threads;
        case CU_DEVICE_ATTRIBUTE_ASYNC_ENGINE_COUNT: return 2;
        case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING: return 1;
        case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: return driver().settings.capability / 10;
        case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR: return driver().settings.capability % 10;
        case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR: return static_cast<int>(card().shared);
        case CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR: return 65536;
        case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN: return static_cast<int>(card().sharedOptIn);
        case CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED: return 1;
        default: return 0;
    }
}

struct ErrorWords {
    CUresult error;
    const char* name;
    const char* text;
};

const ErrorWords errorWords[] = {
    {CUDA_SUCCESS, "CUDA_SUCCESS", "no error"},
    {CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {CUDA_ERROR_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {CUDA_ERROR_NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {CUDA_ERROR_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {CUDA_ERROR_INVALID_PTX, "CUDA_ERROR_INVALID_PTX", "a PTX JIT compilation failed"},
    {CUDA_ERROR_UNSUPPORTED_PTX_VERSION, "CUDA_ERROR_UNSUPPORTED_PTX_VERSION",
     "the provided PTX was compiled with an unsupported toolchain"},
    {CUDA_ERROR_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {CUDA_ERROR_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {CUDA_ERROR_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES", "too many resources requested for launch"},
    {CUDA_ERROR_LAUNCH_TIMEOUT, "CUDA_ERROR_LAUNCH_TIMEOUT", "the launch timed out and was terminated"},
    {CUDA_ERROR_CONTEXT_IS_DESTROYED, "CUDA_ERROR_CONTEXT_IS_DESTROYED", "context is destroyed"},
    {CUDA_ERROR_ASSERT, "CUDA_ERROR_ASSERT", "device-side assert triggered"},
    {CUDA_ERROR_HARDWARE_STACK_ERROR, "CUDA_ERROR_HARDWARE_STACK_ERROR", "hardware stack error"},
    {CUDA_ERROR_ILLEGAL_INSTRUCTION, "CUDA_ERROR_ILLEGAL_INSTRUCTION", "an illegal instruction was encountered"},
    {CUDA_ERROR_MISALIGNED_ADDRESS, "CUDA_ERROR_MISALIGNED_ADDRESS", "misaligned address"},
    {CUDA_ERROR_INVALID_ADDRESS_SPACE, "CUDA_ERROR_INVALID_ADDRESS_SPACE", "operation not supported on global/shared address space"},
    {CUDA_ERROR_INVALID_PC, "CUDA_ERROR_INVALID_PC", "invalid program counter"},
    {CUDA_ERROR_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
    {CUDA_ERROR_NOT_PERMITTED, "CUDA_ERROR_NOT_PERMITTED", "operation not permitted"},
    {CUDA_ERROR_NOT_SUPPORTED, "CUDA_ERROR_NOT_SUPPORTED", "operation not supported"},
    {CUDA_ERROR_UNKNOWN, "CUDA_ERROR_UNKNOWN", "unknown error"},
};

const ErrorWords* wordsOf(CUresult error) {
    for (const ErrorWords& words : errorWords)
        if (words.error == error) return &words;
    return nullptr;
}

} // namespace

EMULATOR_API CUresult cuInit(unsigned flags) {
    return guarded([&] {
        if (flags != 0 || !driver().settingsError.empty()) return CUDA_ERROR_INVALID_VALUE;
        if (driver().settings.noDevice) return CUDA_ERROR_NO_DEVICE;
        driver().initialized = true;
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuDriverGetVersion(int* version) {
    return guarded([&] {
        if (version == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *version = driver().settings.oldDriver ? 10020 : 12080;
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuDeviceGetCount(int* count) {
    return guarded([&] {
        if (!driver().initialized) return CUDA_ERROR_NOT_INITIALIZED;
        if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *count = driver().settings.noDevice ? 0 : driver().settings.devices;
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuDeviceGet(CUdevice* device, int ordinal) {
    return onDevice(ordinal, [&] {
        if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *device = ordinal;
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuDeviceGetName(char* name, int length, CUdevice device) {
    return onDevice(device, [&] {
        if (name == nullptr || length < 1) return CUDA_ERROR_INVALID_VALUE;
        std::snprintf(name, length, "TinyMoE emulated device %d", device);
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuDeviceGetUuid(CUuuid* uuid, CUdevice device) {
    return onDevice(device, [&] {
        if (uuid == nullptr) return CUDA_ERROR_INVALID_VALUE;
        std::memcpy(uuid->bytes, "TinyMoE-emulated", sizeof uuid->bytes);
        uuid->bytes[15] = static_cast<char>(device);
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuDeviceGetUuid_v2(CUuuid* uuid, CUdevice device) { return cuDeviceGetUuid(uuid, device); }

EMULATOR_API CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice device) {
    return onDevice(device, [&] {
        if (bytes == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *bytes = driver().settings.memory;
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice device) {
    return onDevice(device, [&] {
        if (value == nullptr || attribute < 1 || attribute >= CU_DEVICE_ATTRIBUTE_MAX) return CUDA_ERROR_INVALID_VALUE;
        *value = attributeOf(device, attribute);
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuDeviceComputeCapability(int* major, int* minor, CUdevice device) {
    return onDevice(device, [&] {
        if (major == nullptr || minor == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *major = attributeOf(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
        *minor = attributeOf(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device) {
    return onDevice(device, [&] {
        if (context == nullptr) return CUDA_ERROR_INVALID_VALUE;
        contextOf(device).retained++;
        *context = reinterpret_cast<CUcontext>(&contextOf(device));
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device) {
    return onDevice(device, [&] {
        Context& context = contextOf(device);
        if (context.retained == 0) return CUDA_ERROR_INVALID_CONTEXT;
        if (--context.retained == 0) clear(context);
        return CUDA_SUCCESS;
    });
}

// Ends the context whoever retains it; those who do may go on with the fresh one.
EMULATOR_API CUresult cuDevicePrimaryCtxReset_v2(CUdevice device) {
    return onDevice(device, [&] {
        clear(contextOf(device));
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuDevicePrimaryCtxGetState(CUdevice device, unsigned* flags, int* active) {
    return onDevice(device, [&] {
        if (flags == nullptr || active == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *flags = 0;
        *active = contextOf(device).retained > 0;
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuCtxSetCurrent(CUcontext handle) {
    return guarded([&] {
        if (!driver().initialized) return CUDA_ERROR_NOT_INITIALIZED;
        Context* const wanted = reinterpret_cast<Context*>(handle);
        bool known = wanted == nullptr;
        for (const auto& context : driver().contexts) known |= context.get() == wanted;
        if (!known) return CUDA_ERROR_INVALID_CONTEXT;
        if (wanted != nullptr && wanted->retained == 0) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
        setThreadContext(wanted);
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuCtxGetCurrent(CUcontext* handle) {
    return guarded([&] {
        if (!driver().initialized) return CUDA_ERROR_NOT_INITIALIZED;
        if (handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *handle = reinterpret_cast<CUcontext>(threadContext());
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuCtxGetDevice(CUdevice* device) {
    return inContext([&](Context& context) {
        if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
        *device = context.device;
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuCtxSynchronize() {
    return inContext([&](Context& context) {
        for (const auto& stream : context.streams)
            if (const CUresult error = forbidWait(stream, "cuCtxSynchronize")) return error;
        driver().counts.synchronizations++;
        advanceAll(context);
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuGetErrorName(CUresult error, const char** name) {
    const ErrorWords* words = wordsOf(error);
    if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *name = words == nullptr ? nullptr : words->name;
    return words == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}

EMULATOR_API CUresult cuGetErrorString(CUresult error, const char** text) {
    const ErrorWords* words = wordsOf(error);
    if (text == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *text = words == nullptr ? nullptr : words->text;
    return words == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
}
