// Entry points: modules of PTX, kernels and their launch.
#include "cards.h"
#include "driver.h"

#include <algorithm>
#include <cstring>

using namespace emulator;

namespace {

constexpr size_t sharedLimit = 48 << 10;       // of a block
constexpr int newestPtxOfOldDriver = 65;       // CUDA 10.2 reads up to PTX 6.5

enum JitOption { errorLogBuffer = 5, errorLogSize = 6 }; // CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES

void fillErrorLog(const char* message, unsigned count, const int* options, void** values) {
    char* buffer = nullptr;
    size_t size = 0;
    for (unsigned i = 0; i < count; i++) {
        if (options[i] == errorLogBuffer) buffer = static_cast<char*>(values[i]);
        if (options[i] == errorLogSize) size = static_cast<unsigned>(reinterpret_cast<uintptr_t>(values[i]));
    }
    if (buffer != nullptr && size > 0) std::snprintf(buffer, size, "%s", message);
}

/// Parses a PTX text, once a process where it has no variables, for tests make many contexts and load the same into each.
std::shared_ptr<const Module> parse(const char* text) {
    static auto* const known = new std::unordered_map<std::string, std::shared_ptr<const Module>>;
    const auto place = known->find(text);
    if (place != known->end()) return place->second;
    std::shared_ptr<const Module> module = parseModule(text);
    if (module->variables.empty()) known->emplace(text, module);
    return module;
}

CUresult load(Context& context, CUmodule* handle, const void* image, unsigned count, const int* options, void** values) {
    if (handle == nullptr || image == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (const CUresult error = forbidInCapture(context, "cuModuleLoadData")) return error;
    if (++driver().counts.modules == driver().settings.oomModule) return CUDA_ERROR_OUT_OF_MEMORY;
    auto loaded = std::make_shared<LoadedModule>();
    try {
        loaded->module = parse(static_cast<const char*>(image));
    } catch (const PtxError& error) {
        fillErrorLog(error.what(), count, options, values);
        report(error.what());
        return CUDA_ERROR_INVALID_PTX;
    }
    if (driver().settings.oldDriver && loaded->module->versionNumber() > newestPtxOfOldDriver) return CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
    if (const int target = loaded->module->capability(), card = driver().settings.capability; target > card) {
        const std::string why = "the PTX is for sm_" + std::to_string(target) + " and newer, the card is of compute capability " +
                                std::to_string(card / 10) + "." + std::to_string(card % 10);
        fillErrorLog(why.c_str(), count, options, values);
        return CUDA_ERROR_INVALID_PTX;
    }
    loaded->context = &context;
    *handle = static_cast<CUmodule>(driver().modules.add(std::move(loaded)));
    return CUDA_SUCCESS;
}

CUresult refuse(const Kernel& kernel, const std::string& why, CUresult error = CUDA_ERROR_INVALID_VALUE) {
    report("cuLaunchKernel of " + kernel.name + ": " + why);
    return error;
}

std::string text(const Dim3& size) {
    char buffer[48];
    std::snprintf(buffer, sizeof buffer, "(%u, %u, %u)", size.x, size.y, size.z);
    return buffer;
}

/// Takes the arguments from a list of pointers to each, or from one buffer laid out like the kernel's parameters.
CUresult packArguments(const Kernel& kernel, void** arguments, void** extra, std::vector<std::byte>& packed) {
    packed.resize(kernel.parameterBytes);
    if (arguments != nullptr && extra != nullptr) return refuse(kernel, "both kernelParams and extra are given");
    if (arguments != nullptr) {
        for (size_t i = 0; i < kernel.parameters.size(); i++) {
            const Parameter& parameter = kernel.parameters[i];
            if (arguments[i] == nullptr) return refuse(kernel, "argument " + std::to_string(i) + " is a null pointer");
            std::memcpy(packed.data() + parameter.offset, arguments[i], parameter.bytes);
        }
        return CUDA_SUCCESS;
    }
    if (extra == nullptr) return kernel.parameters.empty() ? CUDA_SUCCESS : refuse(kernel, "it has parameters but got no arguments");

    const void* buffer = nullptr;
    size_t size = 0;
    for (; *extra != CU_LAUNCH_PARAM_END; extra += 2) {
        if (*extra == CU_LAUNCH_PARAM_BUFFER_POINTER) buffer = extra[1];
        else if (*extra == CU_LAUNCH_PARAM_BUFFER_SIZE) size = *static_cast<const size_t*>(extra[1]);
        else return refuse(kernel, "an unknown word in extra");
    }

    // A struct may end in padding to its widest member.
    size_t widest = 1;
    for (const Parameter& parameter : kernel.parameters) widest = std::max(widest, parameter.alignment);
    const size_t padded = (kernel.parameterBytes + widest - 1) / widest * widest;
    if (size != kernel.parameterBytes && size != padded)
        return refuse(kernel,
                      "its arguments have " + std::to_string(size) + " bytes, its parameters " + std::to_string(kernel.parameterBytes));
    if (buffer == nullptr && size > 0) return refuse(kernel, "no argument buffer");
    if (size > 0) std::memcpy(packed.data(), buffer, kernel.parameterBytes);
    return CUDA_SUCCESS;
}

CUresult checkSizes(const Function& function, const Dim3& grid, const Dim3& block, size_t dynamicShared) {
    const Kernel& kernel = *function.kernel;
    if (grid.count() == 0 || grid.x > 0x7fffffff || grid.y > 65535 || grid.z > 65535)
        return refuse(kernel, "a grid of " + text(grid) + " blocks");
    if (block.count() == 0 || block.x > 1024 || block.y > 1024 || block.z > 64 || block.count() > 1024)
        return refuse(kernel, "a block of " + text(block) + " threads");
    if (block.count() > kernel.maxThreads)
        return refuse(kernel,
                      "a block of " + text(block) + " threads, but it was compiled for at most " + std::to_string(kernel.maxThreads));
    if (dynamicShared > function.dynamicSharedLimit)
        return refuse(kernel, std::to_string(dynamicShared) + " bytes of dynamic shared memory, " +
                                  std::to_string(function.dynamicSharedLimit) + " allowed");
    return CUDA_SUCCESS;
}

CUresult launchKernel(Context& context, CUfunction handle, Dim3 grid, Dim3 block, unsigned dynamicShared, CUstream streamHandle,
                      void** arguments, void** extra) {
    const auto function = driver().functions.find(handle);
    const auto stream = findStream(context, streamHandle);
    if (!function || !stream || function->context != &context) return CUDA_ERROR_INVALID_HANDLE;
    if (const CUresult error = checkSizes(*function, grid, block, dynamicShared)) return error;
    Launch launch{function->kernel, grid, block, dynamicShared, {}};
    if (const CUresult error = packArguments(*function->kernel, arguments, extra, launch.parameters)) return error;

    const long number = stream->capture ? 0 : ++driver().counts.launches; // what a graph does is no launch of its own
    if (number > 0 && number == driver().settings.oomLaunch) return CUDA_ERROR_OUT_OF_MEMORY;
    return enqueue(stream, [&context, owner = function->owner, launch = std::move(launch), number]() -> std::optional<Finding> {
        const Settings& settings = driver().settings;
        if (number == settings.failLaunch)
            return Finding{CUDA_ERROR_LAUNCH_FAILED,
                           "launch " + std::to_string(number) + ", kernel " + launch.kernel->name + ", fails as asked (fail_launch)"};
        return run(launch, context.memory, settings, settings.count ? &driver().counters : nullptr);
    });
}

} // namespace

EMULATOR_API CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned count, const int* options, void** values) {
    return inContext([&](Context& context) { return load(context, module, image, count, options, values); });
}

EMULATOR_API CUresult cuModuleLoadData(CUmodule* module, const void* image) {
    return inContext([&](Context& context) { return load(context, module, image, 0, nullptr, nullptr); });
}

// Launches that wait in a stream keep the module's kernels alive.
EMULATOR_API CUresult cuModuleUnload(CUmodule handle) {
    return inContext([&](Context&) {
        const auto module = driver().modules.find(handle);
        if (!module) return CUDA_ERROR_INVALID_HANDLE;
        for (const auto& [name, function] : module->functions) driver().functions.remove(function);
        driver().modules.remove(handle);
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuModuleGetFunction(CUfunction* handle, CUmodule moduleHandle, const char* name) {
    return inContext([&](Context& context) {
        if (handle == nullptr || name == nullptr) return CUDA_ERROR_INVALID_VALUE;
        const auto module = driver().modules.find(moduleHandle);
        if (!module || module->context != &context) return CUDA_ERROR_INVALID_HANDLE;
        if (module->functions.count(name) == 0) {
            const Kernel* kernel = module->module->find(name);
            if (kernel == nullptr) return CUDA_ERROR_NOT_FOUND;
            auto function = std::make_shared<Function>();
            function->context = &context;
            function->owner = module;
            function->kernel = kernel;
            function->dynamicSharedLimit = sharedLimit - std::min(sharedLimit, kernel->staticShared);
            module->functions[name] = static_cast<CUfunction>(driver().functions.add(std::move(function)));
        }
        *handle = module->functions[name];
        return CUDA_SUCCESS;
    });
}

// A guess at what the driver's compiler would take: the places that values which live at once need, and some for addresses.
static int registersOf(const Kernel& kernel) {
    size_t fixed = kernel.specialRegisters.size();
    for (const Constant& constant : kernel.constants) fixed += constant.wide ? 2 : 1;
    const size_t places = kernel.registerBytes / (32 * sizeof(uint32_t));
    return static_cast<int>(std::clamp<size_t>((places - std::min(places, fixed) + 8 + 7) / 8 * 8, 16, 255));
}

EMULATOR_API CUresult cuFuncGetAttribute(int* value, CUfunction_attribute attribute, CUfunction handle) {
    return inContext([&](Context&) {
        const auto function = driver().functions.find(handle);
        if (!function) return CUDA_ERROR_INVALID_HANDLE;
        if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
        switch (attribute) {
            case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = static_cast<int>(function->kernel->maxThreads); break;
            case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *value = static_cast<int>(function->kernel->staticShared); break;
            case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES: *value = 0; break;
            case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES: *value = static_cast<int>(function->kernel->localBytes); break;
            case CU_FUNC_ATTRIBUTE_NUM_REGS: *value = registersOf(*function->kernel); break;
            case CU_FUNC_ATTRIBUTE_PTX_VERSION: *value = function->owner->module->versionNumber(); break;
            case CU_FUNC_ATTRIBUTE_BINARY_VERSION: *value = driver().settings.capability; break;
            case CU_FUNC_ATTRIBUTE_CACHE_MODE_CA: *value = 0; break;
            case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *value = static_cast<int>(function->dynamicSharedLimit); break;
            case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT: *value = -1; break;
            default: return CUDA_ERROR_INVALID_VALUE;
        }
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuFuncSetAttribute(CUfunction handle, CUfunction_attribute attribute, int value) {
    return inContext([&](Context&) {
        const auto function = driver().functions.find(handle);
        if (!function) return CUDA_ERROR_INVALID_HANDLE;
        if (attribute == CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT)
            return value >= -1 && value <= 100 ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
        if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value < 0) return CUDA_ERROR_INVALID_VALUE;
        if (function->kernel->staticShared + value > card().sharedOptIn) return CUDA_ERROR_INVALID_VALUE;
        function->dynamicSharedLimit = value;
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuFuncGetParamInfo(CUfunction handle, size_t index, size_t* offset, size_t* bytes) {
    return inContext([&](Context&) {
        const auto function = driver().functions.find(handle);
        if (!function) return CUDA_ERROR_INVALID_HANDLE;
        if (offset == nullptr || index >= function->kernel->parameters.size()) return CUDA_ERROR_INVALID_VALUE;
        *offset = function->kernel->parameters[index].offset;
        if (bytes != nullptr) *bytes = function->kernel->parameters[index].bytes;
        return CUDA_SUCCESS;
    });
}

EMULATOR_API CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,
                                     unsigned blockZ, unsigned dynamicShared, CUstream stream, void** arguments, void** extra) {
    return inContext([&](Context& context) {
        return launchKernel(context, function, {gridX, gridY, gridZ}, {blockX, blockY, blockZ}, dynamicShared, stream, arguments, extra);
    });
}
