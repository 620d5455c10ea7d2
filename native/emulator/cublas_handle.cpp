// Entry points: cuBLAS handles and their modes, version, names of statuses.
#include "cublas_handle.h"

using namespace emulator;

namespace emulator {

Handles<BlasHandle>& blasHandles() {
    static auto* const handles = new Handles<BlasHandle>;
    return *handles;
}

// Of CUDA 12.8, or of 12.0, which has no grouped products.
int blasVersion() { return driver().settings.noGrouped ? 120001 : 120804; }

} // namespace emulator

EMULATOR_API cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
    std::lock_guard lock(driver().mutex);
    if (handle == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    Context* context = nullptr;
    if (driver().settings.oldDriver || currentContext(context) != CUDA_SUCCESS) return CUBLAS_STATUS_NOT_INITIALIZED;
    auto blas = std::make_shared<BlasHandle>();
    blas->context = context;
    *handle = static_cast<cublasHandle_t>(blasHandles().add(std::move(blas)));
    return CUBLAS_STATUS_SUCCESS;
}

// Waits for the device, as the real one does.
EMULATOR_API cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
    std::lock_guard lock(driver().mutex);
    const auto blas = blasHandles().find(handle);
    if (!blas) return CUBLAS_STATUS_NOT_INITIALIZED;
    driver().counts.synchronizations++;
    if (blas->context->retained > 0) advanceAll(*blas->context);
    blasHandles().remove(handle);
    return CUBLAS_STATUS_SUCCESS;
}

EMULATOR_API cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, CUstream stream) {
    return withHandle(handle, [&](BlasHandle& blas) {
        if (!findStream(*blas.context, stream)) return CUBLAS_STATUS_INVALID_VALUE;
        blas.stream = stream;
        return CUBLAS_STATUS_SUCCESS;
    });
}

EMULATOR_API cublasStatus_t cublasGetStream_v2(cublasHandle_t handle, CUstream* stream) {
    return withHandle(handle, [&](BlasHandle& blas) {
        if (stream == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
        *stream = blas.stream;
        return CUBLAS_STATUS_SUCCESS;
    });
}

EMULATOR_API cublasStatus_t cublasSetMathMode(cublasHandle_t handle, int mode) {
    return withHandle(handle, [&](BlasHandle& blas) {
        const int kind = mode & ~CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
        if (kind < CUBLAS_DEFAULT_MATH || kind > CUBLAS_TF32_TENSOR_OP_MATH) return CUBLAS_STATUS_INVALID_VALUE;
        blas.mathMode = mode;
        return CUBLAS_STATUS_SUCCESS;
    });
}

EMULATOR_API cublasStatus_t cublasGetMathMode(cublasHandle_t handle, int* mode) {
    return withHandle(handle, [&](BlasHandle& blas) {
        if (mode == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
        *mode = blas.mathMode;
        return CUBLAS_STATUS_SUCCESS;
    });
}

EMULATOR_API cublasStatus_t cublasSetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t mode) {
    return withHandle(handle, [&](BlasHandle& blas) {
        if (mode != CUBLAS_POINTER_MODE_HOST && mode != CUBLAS_POINTER_MODE_DEVICE) return CUBLAS_STATUS_INVALID_VALUE;
        blas.pointerMode = mode;
        return CUBLAS_STATUS_SUCCESS;
    });
}

EMULATOR_API cublasStatus_t cublasGetPointerMode_v2(cublasHandle_t handle, cublasPointerMode_t* mode) {
    return withHandle(handle, [&](BlasHandle& blas) {
        if (mode == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
        *mode = blas.pointerMode;
        return CUBLAS_STATUS_SUCCESS;
    });
}

EMULATOR_API cublasStatus_t cublasSetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t mode) {
    return withHandle(handle, [&](BlasHandle& blas) {
        if (mode != CUBLAS_ATOMICS_NOT_ALLOWED && mode != CUBLAS_ATOMICS_ALLOWED) return CUBLAS_STATUS_INVALID_VALUE;
        blas.atomicsMode = mode;
        return CUBLAS_STATUS_SUCCESS;
    });
}

EMULATOR_API cublasStatus_t cublasGetAtomicsMode(cublasHandle_t handle, cublasAtomicsMode_t* mode) {
    return withHandle(handle, [&](BlasHandle& blas) {
        if (mode == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
        *mode = blas.atomicsMode;
        return CUBLAS_STATUS_SUCCESS;
    });
}

EMULATOR_API cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t handle, void* workspace, size_t bytes) {
    return withHandle(handle, [&](BlasHandle& blas) {
        const auto address = reinterpret_cast<uint64_t>(workspace);
        if (address % 256 != 0) return CUBLAS_STATUS_INVALID_VALUE;
        if (bytes == 0) return CUBLAS_STATUS_SUCCESS;
        const std::string why = outside(*blas.context, address, bytes);
        if (why.empty()) return CUBLAS_STATUS_SUCCESS;
        report("cublasSetWorkspace: the workspace is not inside one allocation: " + why);
        return CUBLAS_STATUS_INVALID_VALUE;
    });
}

EMULATOR_API cublasStatus_t cublasGetVersion_v2(cublasHandle_t handle, int* version) {
    return withHandle(handle, [&](BlasHandle&) {
        if (version == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
        *version = blasVersion();
        return CUBLAS_STATUS_SUCCESS;
    });
}

EMULATOR_API cublasStatus_t cublasGetProperty(libraryPropertyType_t property, int* value) {
    std::lock_guard lock(driver().mutex);
    if (value == nullptr || property < MAJOR_VERSION || property > PATCH_LEVEL) return CUBLAS_STATUS_INVALID_VALUE;
    const int divisors[] = {10000, 100, 1};
    *value = blasVersion() / divisors[property] % 100;
    return CUBLAS_STATUS_SUCCESS;
}

EMULATOR_API const char* cublasGetStatusName(cublasStatus_t status) {
    switch (status) {
        case CUBLAS_STATUS_SUCCESS: return "CUBLAS_STATUS_SUCCESS";
        case CUBLAS_STATUS_NOT_INITIALIZED: return "CUBLAS_STATUS_NOT_INITIALIZED";
        case CUBLAS_STATUS_ALLOC_FAILED: return "CUBLAS_STATUS_ALLOC_FAILED";
        case CUBLAS_STATUS_INVALID_VALUE: return "CUBLAS_STATUS_INVALID_VALUE";
        case CUBLAS_STATUS_ARCH_MISMATCH: return "CUBLAS_STATUS_ARCH_MISMATCH";
        case CUBLAS_STATUS_MAPPING_ERROR: return "CUBLAS_STATUS_MAPPING_ERROR";
        case CUBLAS_STATUS_EXECUTION_FAILED: return "CUBLAS_STATUS_EXECUTION_FAILED";
        case CUBLAS_STATUS_INTERNAL_ERROR: return "CUBLAS_STATUS_INTERNAL_ERROR";
        case CUBLAS_STATUS_NOT_SUPPORTED: return "CUBLAS_STATUS_NOT_SUPPORTED";
    }
    return "<unknown>";
}

EMULATOR_API const char* cublasGetStatusString(cublasStatus_t status) {
    switch (status) {
        case CUBLAS_STATUS_SUCCESS: return "success";
        case CUBLAS_STATUS_NOT_INITIALIZED: return "the library was not initialized";
        case CUBLAS_STATUS_ALLOC_FAILED: return "the resource allocation failed";
        case CUBLAS_STATUS_INVALID_VALUE: return "an invalid value was passed in";
        case CUBLAS_STATUS_ARCH_MISMATCH: return "the device lacks a feature that this needs";
        case CUBLAS_STATUS_MAPPING_ERROR: return "an access to GPU memory failed";
        case CUBLAS_STATUS_EXECUTION_FAILED: return "the function failed to run on the GPU";
        case CUBLAS_STATUS_INTERNAL_ERROR: return "an internal operation failed";
        case CUBLAS_STATUS_NOT_SUPPORTED: return "the functionality is not supported";
    }
    return "an unknown status";
}
