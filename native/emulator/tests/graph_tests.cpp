// Streams that capture, and graphs of what they captured. The first tests are of mistakes that a program can make: each is planted
// here, and what a card would do shows.
#include "device.h"

#include <thread>

namespace {

/// A stream, two device words that hold 0, and a page-locked word.
struct Recorder {
    Device device;
    CUstream stream, other;
    CUevent event;
    CUdeviceptr word, second;
    unsigned* host;

    explicit Recorder(const char* settings = "", unsigned flags = CU_STREAM_NON_BLOCKING) : device(settings) {
        CHECK_EQUAL(CUDA_SUCCESS, cuStreamCreate(&stream, flags));
        CHECK_EQUAL(CUDA_SUCCESS, cuStreamCreate(&other, CU_STREAM_NON_BLOCKING));
        CHECK_EQUAL(CUDA_SUCCESS, cuEventCreate(&event, CU_EVENT_DISABLE_TIMING));
        word = device.upload(std::vector<unsigned>{0});
        second = device.upload(std::vector<unsigned>{0});
        CHECK_EQUAL(CUDA_SUCCESS, cuMemAllocHost_v2(reinterpret_cast<void**>(&host), 4));
    }
    ~Recorder() {
        cuMemFreeHost(host);
        findings(); // what was planted
    }

    void begin(CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_THREAD_LOCAL) {
        CHECK_EQUAL(CUDA_SUCCESS, cuStreamBeginCapture_v2(stream, mode));
    }

    CUgraphExec end() {
        CUgraph graph;
        CUgraphExec executable;
        CHECK_EQUAL(CUDA_SUCCESS, cuStreamEndCapture(stream, &graph));
        CHECK_EQUAL(CUDA_SUCCESS, cuGraphInstantiateWithFlags(&executable, graph, 0));
        CHECK_EQUAL(CUDA_SUCCESS, cuGraphDestroy(graph));
        return executable;
    }

    /// The capture is over, and there is no graph of it.
    void checkSpoilt(CUresult expected, CUresult result) {
        CUstreamCaptureStatus status;
        CUgraph graph;
        CHECK_EQUAL(expected, result);
        CHECK(!findings().empty());
        CHECK_EQUAL(CUDA_SUCCESS, cuStreamIsCapturing(stream, &status));
        CHECK_EQUAL(CU_STREAM_CAPTURE_STATUS_INVALIDATED, status);
        CHECK_EQUAL(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, cuMemsetD32Async(word, 1, 1, stream));
        CHECK_EQUAL(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, cuStreamEndCapture(stream, &graph));
        CHECK(graph == nullptr);
        CHECK_EQUAL(CUDA_SUCCESS, cuStreamSynchronize(stream));
    }

    unsigned read(CUdeviceptr address) {
        CHECK_EQUAL(CUDA_SUCCESS, cuStreamSynchronize(stream));
        return device.download<unsigned>(address, 1)[0];
    }
};

} // namespace

TEST(Capture_OfAPinnedUpload_ReadsWhatLiesThereWhenTheGraphRuns) {
    Recorder recorder; // the mistake: a staging place that is used again
    recorder.begin();
    *recorder.host = 5;
    CHECK_EQUAL(CUDA_SUCCESS, cuMemcpyHtoDAsync_v2(recorder.word, recorder.host, 4, recorder.stream));
    CUgraphExec graph = recorder.end();
    *recorder.host = 6;
    CHECK_EQUAL(CUDA_SUCCESS, cuGraphLaunch(graph, recorder.stream));
    CHECK_EQUAL(6u, recorder.read(recorder.word));
}

TEST(Capture_OfAnUploadFromTheStack_IsRefused) {
    Recorder recorder;
    recorder.begin();
    unsigned value = 1;
    recorder.checkSpoilt(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuMemcpyHtoDAsync_v2(recorder.word, &value, 4, recorder.stream));
}

TEST(Capture_AWaitInIt_IsRefused) {
    Recorder recorder;
    const int before = tinymoe_emulator_synchronizations();
    recorder.begin();
    recorder.checkSpoilt(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuStreamSynchronize(recorder.stream));
    recorder.begin();
    recorder.checkSpoilt(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuCtxSynchronize());
    recorder.begin();
    recorder.checkSpoilt(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuStreamQuery(recorder.stream));
    CHECK_EQUAL(before + 3, tinymoe_emulator_synchronizations()); // those of checkSpoilt
}

TEST(Capture_AnEventOfIt_CannotBeAskedAbout) {
    Recorder recorder;
    recorder.begin();
    CHECK_EQUAL(CUDA_SUCCESS, cuEventRecord(recorder.event, recorder.stream));
    recorder.checkSpoilt(CUDA_ERROR_CAPTURED_EVENT, cuEventQuery(recorder.event));
    recorder.begin();
    CHECK_EQUAL(CUDA_SUCCESS, cuEventRecord(recorder.event, recorder.stream));
    recorder.checkSpoilt(CUDA_ERROR_CAPTURED_EVENT, cuEventSynchronize(recorder.event));
    CHECK_EQUAL(CUDA_SUCCESS, cuEventRecord(recorder.event, recorder.stream)); // outside it is an event again
    CHECK_EQUAL(CUDA_SUCCESS, cuEventSynchronize(recorder.event));
}

TEST(Capture_AWaitForWorkOutside_IsRefused) {
    Recorder recorder;
    cuEventRecord(recorder.event, recorder.other);
    recorder.begin();
    recorder.checkSpoilt(CUDA_ERROR_STREAM_CAPTURE_ISOLATION, cuStreamWaitEvent(recorder.stream, recorder.event, 0));
}

TEST(Capture_AnAllocationOfItsThread_IsAllowedByTheThreadsMode) {
    Recorder recorder;
    CUdeviceptr memory;
    recorder.begin();
    recorder.checkSpoilt(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuMemAlloc_v2(&memory, 4));
    recorder.begin();
    recorder.checkSpoilt(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuMemFree_v2(recorder.second));

    recorder.begin();
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
    CHECK_EQUAL(CUDA_SUCCESS, cuThreadExchangeStreamCaptureMode(&mode));
    CHECK_EQUAL(CU_STREAM_CAPTURE_MODE_GLOBAL, mode);
    CHECK_EQUAL(CUDA_SUCCESS, cuMemAlloc_v2(&memory, 4));
    CHECK_EQUAL(CUDA_SUCCESS, cuThreadExchangeStreamCaptureMode(&mode));
    CHECK_EQUAL(CUDA_SUCCESS, cuMemsetD32Async(memory, 3, 1, recorder.stream));
    CHECK_EQUAL(CUDA_SUCCESS, cuGraphLaunch(recorder.end(), recorder.stream));
    CHECK_EQUAL(3u, recorder.read(memory));
}

TEST(Capture_AnAllocationOfAnotherThread_IsOfNoMatterInThreadLocalMode) {
    Recorder recorder;
    recorder.begin();
    CUresult result = CUDA_ERROR_UNKNOWN;
    std::thread([&] {
        CUcontext context;
        CUdeviceptr memory;
        cuDevicePrimaryCtxRetain(&context, 0);
        cuCtxSetCurrent(context);
        result = cuMemAlloc_v2(&memory, 4);
        cuDevicePrimaryCtxRelease_v2(0);
    }).join();
    CHECK_EQUAL(CUDA_SUCCESS, result);
    recorder.end();
}

TEST(Capture_EndedByAnotherThread_IsRefused) {
    Recorder recorder;
    recorder.begin();
    CUresult result = CUDA_SUCCESS;
    std::thread([&] {
        CUcontext context;
        CUgraph graph;
        cuDevicePrimaryCtxRetain(&context, 0);
        cuCtxSetCurrent(context);
        result = cuStreamEndCapture(recorder.stream, &graph);
        cuDevicePrimaryCtxRelease_v2(0);
    }).join();
    CHECK_EQUAL(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD, result);
    recorder.end();
}

TEST(Capture_OfABlockingStream_KeepsTheDefaultStreamOut) {
    Recorder recorder("", 0);
    recorder.begin();
    recorder.checkSpoilt(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, cuMemsetD32Async(recorder.word, 1, 1, nullptr));
}

TEST(Capture_BegunTwiceOrOfTheDefaultStream_IsRefused) {
    Recorder recorder;
    CUgraph graph;
    CHECK_EQUAL(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, cuStreamBeginCapture_v2(nullptr, CU_STREAM_CAPTURE_MODE_RELAXED));
    CHECK_EQUAL(CUDA_ERROR_ILLEGAL_STATE, cuStreamEndCapture(recorder.stream, &graph));
    recorder.begin();
    CHECK_EQUAL(CUDA_ERROR_ILLEGAL_STATE, cuStreamBeginCapture_v2(recorder.stream, CU_STREAM_CAPTURE_MODE_RELAXED));
    recorder.end();
}

TEST(Graph_DoesNothingAtCaptureAndAllAtEachLaunch) {
    for (const char* settings : {"", "lazy"}) {
        Recorder recorder(settings);
        recorder.begin();
        cuMemsetD32Async(recorder.word, 7, 1, recorder.stream);
        cuMemcpyDtoDAsync_v2(recorder.second, recorder.word, 4, recorder.stream);
        CUgraphExec graph = recorder.end();
        CHECK_EQUAL(0u, recorder.read(recorder.second));
        for (int i = 0; i < 2; i++) {
            CHECK_EQUAL(CUDA_SUCCESS, cuMemsetD32Async(recorder.second, 1, 1, recorder.stream)); // outside, before it
            CHECK_EQUAL(CUDA_SUCCESS, cuGraphLaunch(graph, recorder.stream));
            CHECK_EQUAL(7u, recorder.read(recorder.second));
        }
        CHECK_EQUAL(2, tinymoe_emulator_graph_launches());
        CHECK_EQUAL(4, tinymoe_emulator_graph_nodes());
        CHECK_EQUAL(0, tinymoe_emulator_launches());
        CHECK_EQUAL(CUDA_SUCCESS, cuGraphExecDestroy(graph));
        CHECK_EQUAL(CUDA_ERROR_INVALID_VALUE, cuGraphLaunch(graph, recorder.stream));
    }
}

TEST(Graph_OfAProduct_IsNoProductOfItsOwn) {
    Recorder recorder;
    cublasHandle_t blas;
    const float one = 1, zero = 0;
    CUdeviceptr a = recorder.device.upload(std::vector<float>{3}), b = recorder.device.upload(std::vector<float>{5}),
                c = recorder.device.upload(std::vector<float>{0});
    CHECK_EQUAL(CUBLAS_STATUS_SUCCESS, cublasCreate_v2(&blas));
    CHECK_EQUAL(CUBLAS_STATUS_SUCCESS, cublasSetStream_v2(blas, recorder.stream));
    recorder.begin();
    CHECK_EQUAL(CUBLAS_STATUS_SUCCESS,
                cublasSgemm_v2(blas, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, &one, reinterpret_cast<const float*>(a), 1,
                               reinterpret_cast<const float*>(b), 1, &zero, reinterpret_cast<float*>(c), 1));
    CUgraphExec graph = recorder.end();
    CHECK_EQUAL(CUDA_SUCCESS, cuGraphLaunch(graph, recorder.stream));
    CHECK_EQUAL(CUDA_SUCCESS, cuStreamSynchronize(recorder.stream));
    CHECK_EQUAL(15.0f, recorder.device.download<float>(c, 1)[0]);
    CHECK_EQUAL(0, tinymoe_emulator_products());
    cublasDestroy_v2(blas);
}

TEST(Graph_OverMemoryThatWasFreed_IsFound) {
    Recorder recorder;
    recorder.begin();
    cuMemsetD32Async(recorder.second, 7, 1, recorder.stream);
    CUgraphExec graph = recorder.end();
    CHECK_EQUAL(CUDA_SUCCESS, cuMemFree_v2(recorder.second));
    CHECK_EQUAL(CUDA_ERROR_ILLEGAL_ADDRESS, cuGraphLaunch(graph, recorder.stream));
    CHECK(findings().find("cuMemsetD32Async") != std::string::npos);
}
