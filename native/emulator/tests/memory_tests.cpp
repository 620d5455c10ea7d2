// Device memory, copies and fills through the driver's entry points.
#include "device.h"

TEST(Memory_CopiedThereAndBack_IsTheSame) {
    Device device;
    const std::vector<int> values = {1, 2, 3, 4, 5};
    const CUdeviceptr address = device.upload(values);
    CHECK(device.download<int>(address, 5) == values);
    CHECK_EQUAL(1, tinymoe_emulator_allocations());
    CHECK_EQUAL(2, tinymoe_emulator_synchronizations());
    CHECK_EQUAL(CUDA_SUCCESS, cuMemFree_v2(address));
    CHECK_EQUAL(0, tinymoe_emulator_allocations());
}

TEST(Memory_Fresh_IsPoisoned) {
    Device device;
    CUdeviceptr address;
    CHECK_EQUAL(CUDA_SUCCESS, cuMemAlloc_v2(&address, 4));
    CHECK_EQUAL(0xCBCBCBCBu, device.download<unsigned>(address, 1)[0]);
}

TEST(Memory_CopyPastTheEnd_IsRefusedAndTold) {
    Device device;
    const CUdeviceptr address = device.upload(std::vector<int>{1, 2, 3});
    int four[4];
    CHECK_EQUAL(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoH_v2(four, address, sizeof four));
    CHECK(findings().find("cuMemcpyDtoH") != std::string::npos);
    CHECK_EQUAL("", findings());
}

TEST(Memory_UsedAfterItsEnd_IsRefused) {
    Device device;
    const CUdeviceptr address = device.upload(std::vector<int>{1});
    CHECK_EQUAL(CUDA_SUCCESS, cuMemFree_v2(address));
    CHECK_EQUAL(CUDA_ERROR_INVALID_VALUE, cuMemsetD32_v2(address, 0, 1));
    CHECK_EQUAL(CUDA_ERROR_INVALID_VALUE, cuMemFree_v2(address));
}

TEST(Memory_MoreThanTheDeviceHas_IsOutOfMemory) {
    Device device("memory=1M");
    CUdeviceptr address;
    CHECK_EQUAL(CUDA_SUCCESS, cuMemAlloc_v2(&address, 600 << 10));
    CHECK_EQUAL(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc_v2(&address, 600 << 10));
    size_t free, total;
    CHECK_EQUAL(CUDA_SUCCESS, cuMemGetInfo_v2(&free, &total));
    CHECK_EQUAL(size_t(1) << 20, total);
    CHECK(free <= (size_t(424) << 10));
}

TEST(Memory_FailAlloc_FailsThatOneOnly) {
    Device device("fail_alloc=2");
    CUdeviceptr address;
    CHECK_EQUAL(CUDA_SUCCESS, cuMemAlloc_v2(&address, 4));
    CHECK_EQUAL(CUDA_ERROR_OUT_OF_MEMORY, cuMemAlloc_v2(&address, 4));
    CHECK_EQUAL(CUDA_SUCCESS, cuMemAlloc_v2(&address, 4));
    CHECK_EQUAL(3, tinymoe_emulator_allocation_calls());
}

TEST(Memory_TwoDevices_AreApart) {
    Device device("devices=2");
    const CUdeviceptr address = device.upload(std::vector<int>{1});
    CUcontext second;
    CHECK_EQUAL(CUDA_SUCCESS, cuDevicePrimaryCtxRetain(&second, 1));
    CHECK_EQUAL(CUDA_SUCCESS, cuCtxSetCurrent(second));
    int value;
    CHECK_EQUAL(CUDA_ERROR_INVALID_VALUE, cuMemcpyDtoH_v2(&value, address, 4));
    CHECK_EQUAL(CUDA_SUCCESS, cuDevicePrimaryCtxRelease_v2(1));
    CHECK_EQUAL(CUDA_ERROR_CONTEXT_IS_DESTROYED, cuCtxSynchronize());
}

TEST(Memory_CopiesAndFills_AreCountedWhenTheyAreDone) {
    Device device("lazy");
    CUstream stream;
    void* host;
    CHECK_EQUAL(CUDA_SUCCESS, cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING));
    CHECK_EQUAL(CUDA_SUCCESS, cuMemAllocHost_v2(&host, 64));
    const CUdeviceptr address = device.upload(std::vector<int>(16));
    CHECK_EQUAL(CUDA_SUCCESS, cuMemcpyHtoDAsync_v2(address, host, 32, stream));
    CHECK_EQUAL(CUDA_SUCCESS, cuMemcpyDtoDAsync_v2(address, address + 32, 16, stream));
    CHECK_EQUAL(CUDA_SUCCESS, cuMemsetD32Async(address, 7, 3, stream));
    CHECK_EQUAL(CUDA_SUCCESS, cuMemcpyDtoHAsync_v2(host, address, 8, stream));
    CHECK_EQUAL(1, activity("copiesToDevice")); // the upload
    CHECK_EQUAL(CUDA_SUCCESS, cuStreamSynchronize(stream));
    CHECK_EQUAL(2, activity("copiesToDevice"));
    CHECK_EQUAL(96, activity("bytesToDevice"));
    CHECK_EQUAL(1, activity("copiesInside"));
    CHECK_EQUAL(16, activity("bytesInside"));
    CHECK_EQUAL(1, activity("fills"));
    CHECK_EQUAL(12, activity("bytesFilled"));
    CHECK_EQUAL(1, activity("copiesToHost"));
    CHECK_EQUAL(8, activity("bytesToHost"));
    CHECK_EQUAL(1, activity("allocations"));
    CHECK_EQUAL(tinymoe_emulator_synchronizations(), activity("synchronizations"));
    CHECK_EQUAL(CUDA_SUCCESS, cuMemFreeHost(host));
}

TEST(Error_NameAndString_AreKnown) {
    const char *name, *text;
    CHECK_EQUAL(CUDA_SUCCESS, cuGetErrorName(CUDA_ERROR_OUT_OF_MEMORY, &name));
    CHECK_EQUAL(CUDA_SUCCESS, cuGetErrorString(CUDA_ERROR_OUT_OF_MEMORY, &text));
    CHECK_EQUAL(std::string("CUDA_ERROR_OUT_OF_MEMORY"), name);
    CHECK_EQUAL(std::string("out of memory"), text);
    CHECK_EQUAL(CUDA_ERROR_INVALID_VALUE, cuGetErrorName(static_cast<CUresult>(99999), &name));
    CHECK(name == nullptr);
}

TEST(Settings_Unknown_IsToldAndChangesNothing) {
    CHECK_EQUAL(std::string("unknown setting 'fast'"), tinymoe_emulator_configure("lazy,fast"));
    CHECK_EQUAL(std::string("bad value in 'devices=0'"), tinymoe_emulator_configure("devices=0"));
}

TEST(Settings_NoDevice_IsWhatInitSays) {
    CHECK(tinymoe_emulator_configure("no_device") == nullptr);
    CHECK_EQUAL(CUDA_ERROR_NO_DEVICE, cuInit(0));
    CHECK(tinymoe_emulator_configure("") == nullptr);
}
