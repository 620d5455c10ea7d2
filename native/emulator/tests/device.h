// The entry points that the tests call, and a device to call them on.
#pragma once

#include "control.h"
#include "cublas_api.h"
#include "cuda_api.h"
#include "testing.h"

#include <vector>

extern "C" {
CUresult cuInit(unsigned flags);
CUresult cuDriverGetVersion(int* version);
CUresult cuDeviceGetCount(int* count);
CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice device);
CUresult cuDevicePrimaryCtxRelease_v2(CUdevice device);
CUresult cuCtxSetCurrent(CUcontext context);
CUresult cuCtxSynchronize();
CUresult cuMemAlloc_v2(CUdeviceptr* address, size_t bytes);
CUresult cuMemFree_v2(CUdeviceptr address);
CUresult cuMemGetInfo_v2(size_t* free, size_t* total);
CUresult cuMemAllocHost_v2(void** pointer, size_t bytes);
CUresult cuMemFreeHost(void* pointer);
CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t bytes);
CUresult cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t bytes);
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t bytes, CUstream stream);
CUresult cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t bytes, CUstream stream);
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream);
CUresult cuMemsetD32_v2(CUdeviceptr to, unsigned value, size_t count);
CUresult cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream stream);
CUresult cuStreamCreate(CUstream* stream, unsigned flags);
CUresult cuStreamDestroy_v2(CUstream stream);
CUresult cuStreamSynchronize(CUstream stream);
CUresult cuStreamQuery(CUstream stream);
CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned flags);
CUresult cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode mode);
CUresult cuStreamEndCapture(CUstream stream, CUgraph* graph);
CUresult cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus* status);
CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode* mode);
CUresult cuGraphInstantiateWithFlags(CUgraphExec* executable, CUgraph graph, unsigned long long flags);
CUresult cuGraphLaunch(CUgraphExec executable, CUstream stream);
CUresult cuGraphExecDestroy(CUgraphExec executable);
CUresult cuGraphDestroy(CUgraph graph);
CUresult cuEventCreate(CUevent* event, unsigned flags);
CUresult cuEventDestroy_v2(CUevent event);
CUresult cuEventRecord(CUevent event, CUstream stream);
CUresult cuEventSynchronize(CUevent event);
CUresult cuEventQuery(CUevent event);
CUresult cuEventElapsedTime(float* milliseconds, CUevent start, CUevent end);
CUresult cuModuleLoadDataEx(CUmodule* module, const void* image, unsigned count, const int* options, void** values);
CUresult cuModuleUnload(CUmodule module);
CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name);
CUresult cuFuncGetAttribute(int* value, CUfunction_attribute attribute, CUfunction function);
CUresult cuGetErrorName(CUresult error, const char** name);
CUresult cuGetErrorString(CUresult error, const char** text);
CUresult cuLaunchKernel(CUfunction function, unsigned gridX, unsigned gridY, unsigned gridZ, unsigned blockX, unsigned blockY,
                        unsigned blockZ, unsigned dynamicShared, CUstream stream, void** arguments, void** extra);

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle);
cublasStatus_t cublasDestroy_v2(cublasHandle_t handle);
cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, CUstream stream);
cublasStatus_t cublasSetMathMode(cublasHandle_t handle, int mode);
const char* cublasGetStatusName(cublasStatus_t status);
const char* cublasGetStatusString(cublasStatus_t status);
cublasStatus_t cublasGetVersion_v2(cublasHandle_t handle, int* version);
cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t transposeA, cublasOperation_t transposeB, int m, int n, int k,
                              const float* alpha, const float* a, int lda, const float* b, int ldb, const float* beta, float* c, int ldc);
cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t transposeA, cublasOperation_t transposeB, int m, int n,
                                         int k, const float* alpha, const float* a, int lda, long long strideA, const float* b, int ldb,
                                         long long strideB, const float* beta, float* c, int ldc, long long strideC, int count);
cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transposeA, cublasOperation_t transposeB, int m, int n, int k,
                            const void* alpha, const void* a, cudaDataType_t typeA, int lda, const void* b, cudaDataType_t typeB, int ldb,
                            const void* beta, void* c, cudaDataType_t typeC, int ldc, cublasComputeType_t compute, int algorithm);
cublasStatus_t cublasSgemmGroupedBatched(cublasHandle_t handle, const cublasOperation_t* transposeA, const cublasOperation_t* transposeB,
                                         const int* m, const int* n, const int* k, const float* alpha, const void* const* a, const int* lda,
                                         const void* const* b, const int* ldb, const float* beta, const void* const* c, const int* ldc,
                                         int count, const int* sizes);
}

/// Device 0 under the given settings, with its context current; ends both.
class Device {
public:
    explicit Device(const char* settings = "") {
        CHECK(tinymoe_emulator_configure(settings) == nullptr);
        CHECK_EQUAL(CUDA_SUCCESS, cuInit(0));
        CUcontext context;
        CHECK_EQUAL(CUDA_SUCCESS, cuDevicePrimaryCtxRetain(&context, 0));
        CHECK_EQUAL(CUDA_SUCCESS, cuCtxSetCurrent(context));
    }
    ~Device() {
        cuDevicePrimaryCtxRelease_v2(0);
        tinymoe_emulator_configure("");
    }
    Device(const Device&) = delete;
    Device& operator=(const Device&) = delete;

    template <typename T>
    CUdeviceptr upload(const std::vector<T>& values) {
        CUdeviceptr address;
        CHECK_EQUAL(CUDA_SUCCESS, cuMemAlloc_v2(&address, values.size() * sizeof(T)));
        CHECK_EQUAL(CUDA_SUCCESS, cuMemcpyHtoD_v2(address, values.data(), values.size() * sizeof(T)));
        return address;
    }

    template <typename T>
    std::vector<T> download(CUdeviceptr address, size_t count) {
        std::vector<T> values(count);
        CHECK_EQUAL(CUDA_SUCCESS, cuMemcpyDtoH_v2(values.data(), address, count * sizeof(T)));
        return values;
    }
};

/// A number of tinymoe_emulator_activity.
inline long long activity(const std::string& key) {
    std::string text(tinymoe_emulator_activity(nullptr, 0) + 1, 0);
    tinymoe_emulator_activity(text.data(), static_cast<int>(text.size()));
    const size_t place = text.find("\"" + key + "\":");
    CHECK(place != std::string::npos);
    return std::stoll(text.substr(place + key.size() + 3));
}

inline std::string findings() {
    std::string text(tinymoe_emulator_findings(nullptr, 0) + 1, 0);
    tinymoe_emulator_findings(text.data(), static_cast<int>(text.size()));
    text.pop_back();
    return text;
}
