// Modules, kernels and their launch through the driver's entry points; faults that are asked for.
#include "device.h"

#include <cstring>

namespace {

// out[i] = value for i < count, one thread per element.
const char* const fillPtx = R"(
.version 7.8
.target sm_70
.address_size 64

.visible .entry fill(.param .u64 out, .param .u32 value, .param .u32 count)
{
    .reg .pred %p<2>;
    .reg .b32 %r<8>;
    .reg .b64 %rd<5>;

    ld.param.u64 %rd1, [out];
    ld.param.u32 %r1, [value];
    ld.param.u32 %r2, [count];
    mov.u32 %r3, %ctaid.x;
    mov.u32 %r4, %ntid.x;
    mov.u32 %r5, %tid.x;
    mad.lo.s32 %r6, %r3, %r4, %r5;
    setp.ge.s32 %p1, %r6, %r2;
    @%p1 bra DONE;
    cvta.to.global.u64 %rd2, %rd1;
    mul.wide.s32 %rd3, %r6, 4;
    add.s64 %rd4, %rd2, %rd3;
    st.global.u32 [%rd4], %r1;
DONE:
    ret;
}
)";

struct Fill {
    Device device;
    CUmodule module;
    CUfunction function;
    CUdeviceptr out;

    explicit Fill(const char* settings = "") : device(settings) {
        CHECK_EQUAL(CUDA_SUCCESS, cuModuleLoadDataEx(&module, fillPtx, 0, nullptr, nullptr));
        CHECK_EQUAL(CUDA_SUCCESS, cuModuleGetFunction(&function, module, "fill"));
        out = device.upload(std::vector<unsigned>(100, 0));
    }

    CUresult launch(unsigned value, unsigned count, unsigned threads = 64, CUstream stream = nullptr) {
        void* arguments[] = {&out, &value, &count};
        return cuLaunchKernel(function, 2, 1, 1, threads, 1, 1, 0, stream, arguments, nullptr);
    }
};

} // namespace

TEST(Launch_Fill_WritesEveryElement) {
    Fill fill;
    CHECK_EQUAL(CUDA_SUCCESS, fill.launch(7, 99));
    std::vector<unsigned> expected(100, 7);
    expected[99] = 0;
    CHECK(fill.device.download<unsigned>(fill.out, 100) == expected);
    CHECK_EQUAL(1, tinymoe_emulator_launches());
    CHECK_EQUAL("", findings());
}

TEST(Launch_PastTheEnd_BreaksTheContextUntilItEnds) {
    Fill fill;
    CHECK_EQUAL(CUDA_ERROR_ILLEGAL_ADDRESS, fill.launch(7, 101));
    const std::string told = findings();
    CHECK(told.find("fill") != std::string::npos && told.find("st.global.u32") != std::string::npos);
    CHECK_EQUAL(CUDA_ERROR_ILLEGAL_ADDRESS, cuCtxSynchronize());
    CHECK_EQUAL(CUDA_SUCCESS, cuDevicePrimaryCtxRelease_v2(0));
    CUcontext context;
    CHECK_EQUAL(CUDA_SUCCESS, cuDevicePrimaryCtxRetain(&context, 0));
    CHECK_EQUAL(CUDA_SUCCESS, cuCtxSynchronize());
}

TEST(Launch_Lazy_FailsAtTheWait) {
    Fill fill("lazy");
    CUstream stream;
    cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING);
    CHECK_EQUAL(CUDA_SUCCESS, fill.launch(7, 101, 64, stream));
    CHECK_EQUAL(CUDA_ERROR_ILLEGAL_ADDRESS, cuStreamSynchronize(stream));
}

TEST(Launch_FailLaunch_FailsThatOne) {
    Fill fill("fail_launch=2");
    CHECK_EQUAL(CUDA_SUCCESS, fill.launch(7, 10));
    CHECK_EQUAL(CUDA_ERROR_LAUNCH_FAILED, fill.launch(7, 10));
    CHECK(tinymoe_emulator_configure("") == nullptr);
    CHECK_EQUAL(CUDA_SUCCESS, fill.launch(7, 10));
}

TEST(Launch_TooManyThreads_IsRefused) {
    Fill fill;
    CHECK_EQUAL(CUDA_ERROR_INVALID_VALUE, fill.launch(7, 10, 2048));
    CHECK_EQUAL(CUDA_ERROR_INVALID_VALUE, fill.launch(7, 10, 0));
}

TEST(Launch_OfMoreThan256ThreadsWithoutBounds_IsRefused) {
    Fill fill;
    CHECK_EQUAL(CUDA_SUCCESS, fill.launch(7, 10, 256));
    CHECK_EQUAL(CUDA_ERROR_INVALID_VALUE, fill.launch(7, 10, 288));
    CHECK(findings().find("compiled for at most 256") != std::string::npos);
}

TEST(Launch_ArgumentBufferOfAnotherSize_IsRefused) {
    Fill fill;
    struct {
        CUdeviceptr out;
        unsigned value, count;
    } arguments = {fill.out, 9, 100};
    size_t size = sizeof arguments;
    void* extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, &arguments, CU_LAUNCH_PARAM_BUFFER_SIZE, &size, CU_LAUNCH_PARAM_END};
    CHECK_EQUAL(CUDA_SUCCESS, cuLaunchKernel(fill.function, 2, 1, 1, 64, 1, 1, 0, nullptr, nullptr, extra));
    CHECK_EQUAL(9u, fill.device.download<unsigned>(fill.out, 100)[99]);
    size = 12;
    CHECK_EQUAL(CUDA_ERROR_INVALID_VALUE, cuLaunchKernel(fill.function, 2, 1, 1, 64, 1, 1, 0, nullptr, nullptr, extra));
    CHECK(findings().find("12 bytes, its parameters 16") != std::string::npos);
}

TEST(Module_Unloaded_TakesItsKernelsAlong) {
    Fill fill;
    CHECK_EQUAL(CUDA_SUCCESS, cuModuleUnload(fill.module));
    CHECK_EQUAL(CUDA_ERROR_INVALID_HANDLE, fill.launch(7, 10));
}

TEST(Module_UnknownKernel_IsNotFound) {
    Fill fill;
    CUfunction function;
    CHECK_EQUAL(CUDA_ERROR_NOT_FOUND, cuModuleGetFunction(&function, fill.module, "empty"));
}

TEST(Module_BadPtx_IsRefusedWithItsLineInTheLog) {
    Device device;
    char log[256] = "";
    const int options[] = {5, 6}; // the error log, its size
    void* values[] = {log, reinterpret_cast<void*>(sizeof log)};
    CUmodule module;
    CHECK_EQUAL(CUDA_ERROR_INVALID_PTX,
                cuModuleLoadDataEx(&module, ".version 7.8\n.target sm_70\n.address_size 64\n.entry k() {\n frob.u32 %r1;\n}\n", 2, options,
                                   values));
    CHECK(std::strchr(log, '5') != nullptr);
}

TEST(Module_OldDriver_CannotReadOurPtx) {
    Device device("old_driver");
    int version;
    CHECK_EQUAL(CUDA_SUCCESS, cuDriverGetVersion(&version));
    CHECK_EQUAL(10020, version);
    CUmodule module;
    CHECK_EQUAL(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, cuModuleLoadDataEx(&module, fillPtx, 0, nullptr, nullptr));
}

TEST(Module_ForANewerCard_IsRefusedAndTheLogSaysWhy) {
    std::string newer = fillPtx;
    newer.replace(newer.find("sm_70"), 5, "sm_80");
    for (const char* settings : {"capability=7.5", "capability=8.0", "capability=9.0", ""}) {
        Device device(settings);
        char log[256] = "";
        const int options[] = {5, 6};
        void* values[] = {log, reinterpret_cast<void*>(sizeof log)};
        CUmodule module;
        const bool isOld = std::strcmp(settings, "capability=7.5") == 0;
        CHECK_EQUAL(isOld ? CUDA_ERROR_INVALID_PTX : CUDA_SUCCESS, cuModuleLoadDataEx(&module, newer.c_str(), 2, options, values));
        CHECK_EQUAL(isOld ? "the PTX is for sm_80 and newer, the card is of compute capability 7.5" : "", std::string(log));
        CHECK_EQUAL(CUDA_SUCCESS, cuModuleLoadDataEx(&module, fillPtx, 0, nullptr, nullptr)); // and the context is well
    }
}

TEST(Function_Attributes_ArePlausible) {
    Fill fill("capability=8.6");
    const auto of = [&](CUfunction_attribute attribute) {
        int value = -1;
        CHECK_EQUAL(CUDA_SUCCESS, cuFuncGetAttribute(&value, attribute, fill.function));
        return value;
    };
    CHECK(of(CU_FUNC_ATTRIBUTE_NUM_REGS) >= 16 && of(CU_FUNC_ATTRIBUTE_NUM_REGS) <= 32); // a kernel this small
    CHECK_EQUAL(0, of(CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES));
    CHECK_EQUAL(78, of(CU_FUNC_ATTRIBUTE_PTX_VERSION));
    CHECK_EQUAL(86, of(CU_FUNC_ATTRIBUTE_BINARY_VERSION));
}

TEST(Settings_BadCapability_IsRefused) {
    for (const char* settings : {"capability=8", "capability=8.x", "capability=99.0", "capability=80"})
        CHECK(tinymoe_emulator_configure(settings) != nullptr);
}
