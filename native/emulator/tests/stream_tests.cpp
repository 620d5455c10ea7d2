// Streams and events, above all in lazy mode.
#include "device.h"

namespace {

/// Two streams, an event, a device word that holds 0 and a page-locked word.
struct Pair {
    Device device;
    CUstream first, second;
    CUevent event;
    CUdeviceptr word;
    unsigned* host;

    explicit Pair(const char* settings, unsigned flags = CU_STREAM_NON_BLOCKING) : device(settings) {
        CHECK_EQUAL(CUDA_SUCCESS, cuStreamCreate(&first, flags));
        CHECK_EQUAL(CUDA_SUCCESS, cuStreamCreate(&second, flags));
        CHECK_EQUAL(CUDA_SUCCESS, cuEventCreate(&event, 0));
        word = device.upload(std::vector<unsigned>{0});
        CHECK_EQUAL(CUDA_SUCCESS, cuMemAllocHost_v2(reinterpret_cast<void**>(&host), 4));
    }
    ~Pair() { cuMemFreeHost(host); }
};

} // namespace

TEST(Stream_Eager_WorksAtOnce) {
    Pair pair("");
    cuMemsetD32Async(pair.word, 7, 1, pair.first);
    CHECK_EQUAL(CUDA_SUCCESS, cuMemcpyDtoHAsync_v2(pair.host, pair.word, 4, pair.second));
    CHECK_EQUAL(7u, *pair.host);
}

TEST(Stream_Lazy_CopyIsThereOnlyAfterTheWait) {
    Pair pair("lazy");
    cuMemsetD32Async(pair.word, 7, 1, pair.first);
    CHECK_EQUAL(CUDA_SUCCESS, cuMemcpyDtoHAsync_v2(pair.host, pair.word, 4, pair.first));
    CHECK_EQUAL(0xCBCBCBCBu, *pair.host);
    CHECK_EQUAL(CUDA_SUCCESS, cuStreamSynchronize(pair.first));
    CHECK_EQUAL(7u, *pair.host);
}

TEST(Stream_Lazy_PinnedSourceIsReadLate) {
    Pair pair("lazy");
    *pair.host = 1;
    cuMemcpyHtoDAsync_v2(pair.word, pair.host, 4, pair.first);
    *pair.host = 2;
    cuStreamSynchronize(pair.first);
    CHECK_EQUAL(2u, pair.device.download<unsigned>(pair.word, 1)[0]);
}

TEST(Stream_Lazy_PageableSourceIsReadAtOnce) {
    Pair pair("lazy");
    unsigned value = 1;
    cuMemcpyHtoDAsync_v2(pair.word, &value, 4, pair.first);
    value = 2;
    cuStreamSynchronize(pair.first);
    CHECK_EQUAL(1u, pair.device.download<unsigned>(pair.word, 1)[0]);
}

TEST(Stream_Lazy_WithoutAnEventDoesNotSeeTheOther) {
    Pair pair("lazy");
    cuMemsetD32Async(pair.word, 7, 1, pair.first);
    cuMemcpyDtoHAsync_v2(pair.host, pair.word, 4, pair.second);
    cuStreamSynchronize(pair.second);
    CHECK_EQUAL(0u, *pair.host);
}

TEST(Stream_Lazy_WithAnEventSeesTheOtherUpToIt) {
    Pair pair("lazy");
    cuMemsetD32Async(pair.word, 7, 1, pair.first);
    cuEventRecord(pair.event, pair.first);
    cuMemsetD32Async(pair.word, 8, 1, pair.first);
    cuStreamWaitEvent(pair.second, pair.event, 0);
    cuMemcpyDtoHAsync_v2(pair.host, pair.word, 4, pair.second);
    CHECK_EQUAL(CUDA_SUCCESS, cuStreamSynchronize(pair.second));
    CHECK_EQUAL(7u, *pair.host);
    CHECK_EQUAL(CUDA_SUCCESS, cuCtxSynchronize());
    CHECK_EQUAL(8u, pair.device.download<unsigned>(pair.word, 1)[0]);
}

TEST(Stream_Lazy_DefaultStreamWaitsForBlockingStreamsOnly) {
    Pair blocking("lazy", 0);
    cuMemsetD32Async(blocking.word, 7, 1, blocking.first);
    CHECK_EQUAL(7u, blocking.device.download<unsigned>(blocking.word, 1)[0]);
    CUstream apart;
    cuStreamCreate(&apart, CU_STREAM_NON_BLOCKING);
    cuMemsetD32Async(blocking.word, 8, 1, apart);
    CHECK_EQUAL(7u, blocking.device.download<unsigned>(blocking.word, 1)[0]);
}

TEST(Stream_Lazy_QueryComesToAnEnd) {
    Pair pair("lazy");
    for (unsigned i = 0; i < 3; i++) cuMemsetD32Async(pair.word, i, 1, pair.first);
    cuEventRecord(pair.event, pair.first);
    int questions = 0;
    while (cuEventQuery(pair.event) == CUDA_ERROR_NOT_READY) questions++;
    CHECK_EQUAL(4, questions);
    CHECK_EQUAL(CUDA_SUCCESS, cuStreamQuery(pair.first));
}

TEST(Stream_Lazy_LongChainsOverTwoStreamsWork) {
    Pair pair("lazy", 0);
    for (unsigned i = 0; i < 20000; i++) {
        cuMemsetD32Async(pair.word, i, 1, nullptr);
        cuMemsetD32Async(pair.word, i + 1, 1, pair.first);
    }
    CHECK_EQUAL(CUDA_SUCCESS, cuStreamSynchronize(pair.first));
    CHECK_EQUAL(20000u, pair.device.download<unsigned>(pair.word, 1)[0]);
}

TEST(Stream_Destroyed_IsAnInvalidHandleButItsWorkGoesOn) {
    Pair pair("lazy");
    cuMemsetD32Async(pair.word, 7, 1, pair.first);
    CHECK_EQUAL(CUDA_SUCCESS, cuStreamDestroy_v2(pair.first));
    CHECK_EQUAL(CUDA_ERROR_INVALID_HANDLE, cuStreamSynchronize(pair.first));
    CHECK_EQUAL(CUDA_SUCCESS, cuCtxSynchronize());
    CHECK_EQUAL(7u, pair.device.download<unsigned>(pair.word, 1)[0]);
}

TEST(Stream_AnEventsHandle_IsRefused) {
    Pair pair("");
    CHECK_EQUAL(CUDA_ERROR_INVALID_HANDLE, cuStreamSynchronize(reinterpret_cast<CUstream>(pair.event)));
}

TEST(Stream_CopyIntoPageableMemory_Waits) {
    Pair pair("lazy");
    const int before = tinymoe_emulator_synchronizations();
    unsigned value = 1;
    cuMemcpyDtoHAsync_v2(&value, pair.word, 4, pair.first);
    CHECK_EQUAL(0u, value);
    CHECK_EQUAL(before + 1, tinymoe_emulator_synchronizations());
}

TEST(Event_Elapsed_IsKnownOnceBothAreDone) {
    Pair pair("lazy");
    CUevent end;
    float milliseconds;
    cuEventCreate(&end, 0);
    CHECK_EQUAL(CUDA_ERROR_INVALID_HANDLE, cuEventElapsedTime(&milliseconds, pair.event, end));
    cuEventRecord(pair.event, pair.first);
    cuEventRecord(end, pair.first);
    CHECK_EQUAL(CUDA_ERROR_NOT_READY, cuEventElapsedTime(&milliseconds, pair.event, end));
    CHECK_EQUAL(CUDA_SUCCESS, cuEventSynchronize(end));
    CHECK_EQUAL(CUDA_SUCCESS, cuEventElapsedTime(&milliseconds, pair.event, end));
    CHECK(milliseconds >= 0);
}
