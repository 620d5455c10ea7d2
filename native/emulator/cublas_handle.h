// A cuBLAS handle, and what every cuBLAS entry point begins with.
#pragma once

#include "cublas_api.h"
#include "driver.h"

namespace emulator {

struct BlasHandle {
    Context* context = nullptr;
    CUstream stream = nullptr; // looked up anew at each call, since it may have been destroyed
    int mathMode = CUBLAS_DEFAULT_MATH;
    cublasPointerMode_t pointerMode = CUBLAS_POINTER_MODE_HOST;
    cublasAtomicsMode_t atomicsMode = CUBLAS_ATOMICS_NOT_ALLOWED;
};

Handles<BlasHandle>& blasHandles();

/// The version as cublasGetVersion tells it: major·10000 + minor·100 + patch.
int blasVersion();

/// Runs the body of an entry point under the driver's lock with the handle's object, whose context must be current and unbroken.
template <typename Body>
cublasStatus_t withHandle(cublasHandle_t handle, Body body) {
    std::lock_guard lock(driver().mutex);
    const auto blas = blasHandles().find(handle);
    if (!blas) return CUBLAS_STATUS_NOT_INITIALIZED;
    Context* context = nullptr;
    if (currentContext(context) != CUDA_SUCCESS) return CUBLAS_STATUS_EXECUTION_FAILED;
    if (context != blas->context) {
        report("cuBLAS: the handle belongs to device " + std::to_string(blas->context->device) + ", the current context to device " +
               std::to_string(context->device));
        return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    try {
        const cublasStatus_t status = body(*blas);
        if (status != CUBLAS_STATUS_SUCCESS) return status;
        return context->error == CUDA_SUCCESS ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
    } catch (const std::bad_alloc&) {
        return CUBLAS_STATUS_ALLOC_FAILED;
    }
}

} // namespace emulator
