// Matrix products through cuBLAS's entry points against a plain triple loop in double precision.
#include "device.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <random>

namespace {

struct Blas {
    Device device;
    cublasHandle_t handle;

    explicit Blas(const char* settings = "") : device(settings) { CHECK_EQUAL(CUBLAS_STATUS_SUCCESS, cublasCreate_v2(&handle)); }
    ~Blas() { cublasDestroy_v2(handle); }
};

std::vector<float> randomValues(size_t count, unsigned seed) {
    std::mt19937 generator(seed);
    std::uniform_real_distribution<float> uniform(-1, 1);
    std::vector<float> values(count);
    for (float& value : values) value = uniform(generator);
    return values;
}

float* at(CUdeviceptr address, long long elements = 0) { return reinterpret_cast<float*>(address) + elements; }

/// C = alpha·op(A)·op(B) + beta·C, column-major.
void naive(bool transposeA, bool transposeB, int m, int n, int k, float alpha, const float* a, int lda, const float* b, int ldb, float beta,
           float* c, int ldc) {
    for (int j = 0; j < n; j++) {
        for (int i = 0; i < m; i++) {
            double sum = 0;
            for (int p = 0; p < k; p++)
                sum += double(transposeA ? a[p + i * lda] : a[i + p * lda]) * (transposeB ? b[j + p * ldb] : b[p + j * ldb]);
            c[i + j * ldc] = static_cast<float>(alpha * sum + (beta == 0 ? 0.0 : double(beta) * c[i + j * ldc]));
        }
    }
}

void checkNear(const std::vector<float>& expected, const std::vector<float>& actual, double tolerance) {
    for (size_t i = 0; i < expected.size(); i++)
        if (!(std::abs(expected[i] - actual[i]) <= tolerance)) CHECK_EQUAL(expected[i], actual[i]);
}

uint16_t toBfloat16(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float fromBfloat16(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

const float one = 1, zero = 0;

} // namespace

TEST(Gemm_EveryTransposeFormAndOddSizes_EqualsTheNaiveOne) {
    Blas blas;
    const int sizes[][3] = {{1, 1, 1}, {8, 4, 16}, {7, 5, 3}, {33, 18, 65}, {1, 40, 9}, {40, 1, 9}, {5, 6, 0}};
    for (const auto& [m, n, k] : sizes) {
        for (int form = 0; form < 4; form++) {
            const bool ta = form & 1, tb = form & 2;
            const int lda = (ta ? k : m) + 3, ldb = (tb ? n : k) + 2, ldc = m + 1;
            const auto a = randomValues(lda * ((ta ? m : k) + 1), 1), b = randomValues(ldb * ((tb ? k : n) + 1), 2);
            auto c = randomValues(ldc * n, 3);
            const CUdeviceptr da = blas.device.upload(a), db = blas.device.upload(b), dc = blas.device.upload(c);
            const float alpha = 0.5f, beta = form == 3 ? 0.0f : 2.0f;
            CHECK_EQUAL(CUBLAS_STATUS_SUCCESS, cublasSgemm_v2(blas.handle, ta ? CUBLAS_OP_T : CUBLAS_OP_N, tb ? CUBLAS_OP_T : CUBLAS_OP_N,
                                                              m, n, k, &alpha, at(da), lda, at(db), ldb, &beta, at(dc), ldc));
            naive(ta, tb, m, n, k, alpha, a.data(), lda, b.data(), ldb, beta, c.data(), ldc);
            checkNear(c, blas.device.download<float>(dc, c.size()), 1e-5);
        }
    }
}

TEST(Gemm_BetaZero_DoesNotReadTheResult) {
    Blas blas;
    const CUdeviceptr a = blas.device.upload(std::vector<float>{2}), b = blas.device.upload(std::vector<float>{3}),
                      c = blas.device.upload(std::vector<float>{NAN});
    cublasSgemm_v2(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, &one, at(a), 1, at(b), 1, &zero, at(c), 1);
    CHECK_EQUAL(6.0f, blas.device.download<float>(c, 1)[0]);
}

TEST(Gemm_WrongLeadingDimension_IsRefused) {
    Blas blas;
    const CUdeviceptr x = blas.device.upload(randomValues(64, 1));
    CHECK_EQUAL(CUBLAS_STATUS_INVALID_VALUE,
                cublasSgemm_v2(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 4, 4, 4, &one, at(x), 3, at(x), 4, &zero, at(x, 32), 4));
    CHECK_EQUAL(CUBLAS_STATUS_INVALID_VALUE,
                cublasSgemm_v2(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 4, 4, 4, nullptr, at(x), 4, at(x), 4, &zero, at(x, 32), 4));
    CHECK_EQUAL(CUBLAS_STATUS_NOT_INITIALIZED,
                cublasSgemm_v2(nullptr, CUBLAS_OP_N, CUBLAS_OP_N, 4, 4, 4, &one, at(x), 4, at(x), 4, &zero, at(x, 32), 4));
}

TEST(Gemm_InputPastTheEnd_BreaksTheContextAndIsTold) {
    Blas blas;
    const CUdeviceptr a = blas.device.upload(randomValues(15, 1)), b = blas.device.upload(randomValues(16, 2)),
                      c = blas.device.upload(randomValues(16, 3));
    CHECK_EQUAL(CUBLAS_STATUS_EXECUTION_FAILED,
                cublasSgemm_v2(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 4, 4, 4, &one, at(a), 4, at(b), 4, &zero, at(c), 4));
    CHECK(findings().find("A is not inside one allocation") != std::string::npos);
    CHECK_EQUAL(CUDA_ERROR_ILLEGAL_ADDRESS, cuCtxSynchronize());
}

TEST(Gemm_Lazy_RunsWithItsStream) {
    Blas blas("lazy");
    CUstream stream;
    cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING);
    cublasSetStream_v2(blas.handle, stream);
    const CUdeviceptr a = blas.device.upload(std::vector<float>{2}), b = blas.device.upload(std::vector<float>{3}),
                      c = blas.device.upload(std::vector<float>{0});
    CHECK_EQUAL(CUBLAS_STATUS_SUCCESS,
                cublasSgemm_v2(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, &one, at(a), 1, at(b), 1, &zero, at(c), 1));
    CHECK_EQUAL(0.0f, blas.device.download<float>(c, 1)[0]);
    cuStreamSynchronize(stream);
    CHECK_EQUAL(6.0f, blas.device.download<float>(c, 1)[0]);
}

TEST(Gemm_StridedBatch_EqualsOneAfterTheOther) {
    Blas blas;
    const int m = 5, n = 7, k = 6, count = 3;
    const auto a = randomValues(m * k * count, 1), b = randomValues(k * n, 2);
    std::vector<float> c(m * n * count), alone(m * n * count);
    const CUdeviceptr da = blas.device.upload(a), db = blas.device.upload(b), dc = blas.device.upload(c),
                      dalone = blas.device.upload(alone);
    CHECK_EQUAL(CUBLAS_STATUS_SUCCESS, cublasSgemmStridedBatched(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, at(da), m, m * k,
                                                                 at(db), k, 0, &zero, at(dc), m, m * n, count));
    for (int i = 0; i < count; i++)
        cublasSgemm_v2(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, at(da, i * m * k), m, at(db), k, &zero, at(dalone, i * m * n),
                       m);
    CHECK(blas.device.download<float>(dc, c.size()) == blas.device.download<float>(dalone, c.size()));
}

TEST(Gemm_Bfloat16_SumsInFloat32) {
    Blas blas;
    const int m = 9, n = 10, k = 31;
    std::vector<float> a = randomValues(m * k, 1), b = randomValues(k * n, 2), c(m * n);
    std::vector<uint16_t> a16, b16;
    for (float& value : a) value = fromBfloat16(a16.emplace_back(toBfloat16(value)));
    for (float& value : b) value = fromBfloat16(b16.emplace_back(toBfloat16(value)));
    naive(false, false, m, n, k, 1, a.data(), m, b.data(), k, 0, c.data(), m);

    const CUdeviceptr da = blas.device.upload(a16), db = blas.device.upload(b16), d32 = blas.device.upload(c),
                      d16 = blas.device.upload(std::vector<uint16_t>(m * n));
    CHECK_EQUAL(CUBLAS_STATUS_SUCCESS, cublasGemmEx(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, at(da), CUDA_R_16BF, m, at(db),
                                                    CUDA_R_16BF, k, &zero, at(d32), CUDA_R_32F, m, CUBLAS_COMPUTE_32F, -1));
    checkNear(c, blas.device.download<float>(d32, c.size()), 1e-5);
    CHECK_EQUAL(CUBLAS_STATUS_SUCCESS, cublasGemmEx(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, at(da), CUDA_R_16BF, m, at(db),
                                                    CUDA_R_16BF, k, &zero, at(d16), CUDA_R_16BF, m, CUBLAS_COMPUTE_32F, -1));
    std::vector<float> rounded;
    for (const uint16_t bits : blas.device.download<uint16_t>(d16, m * n)) rounded.push_back(fromBfloat16(bits));
    checkNear(c, rounded, 0.02);
    CHECK_EQUAL(CUBLAS_STATUS_NOT_SUPPORTED, cublasGemmEx(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, m, n, k, &one, at(da), CUDA_R_16BF, m,
                                                          at(db), CUDA_R_32F, k, &zero, at(d32), CUDA_R_32F, m, CUBLAS_COMPUTE_32F, -1));
}

TEST(Gemm_Tf32MathMode_RoundsTheInputs) {
    Blas blas;
    const float fine = 1 + 1.0f / 4096;
    const CUdeviceptr a = blas.device.upload(std::vector<float>{fine}), b = blas.device.upload(std::vector<float>{1}),
                      c = blas.device.upload(std::vector<float>{0});
    cublasSgemm_v2(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, &one, at(a), 1, at(b), 1, &zero, at(c), 1);
    CHECK_EQUAL(fine, blas.device.download<float>(c, 1)[0]);
    cublasSetMathMode(blas.handle, CUBLAS_TF32_TENSOR_OP_MATH);
    cublasSgemm_v2(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, &one, at(a), 1, at(b), 1, &zero, at(c), 1);
    CHECK_EQUAL(1.0f, blas.device.download<float>(c, 1)[0]);
}

TEST(GemmGrouped_GroupsOfOtherSizes_EqualTheNaiveOnes) {
    Blas blas;
    const int count = 4, m[] = {6, 6, 6, 6}, n[] = {3, 0, 9, 1}, k[] = {5, 5, 5, 5}, sizes[] = {1, 1, 2, 1}, ld[] = {6, 6, 6, 6},
              ldb[] = {5, 5, 5, 5};
    const cublasOperation_t none[] = {CUBLAS_OP_N, CUBLAS_OP_N, CUBLAS_OP_N, CUBLAS_OP_N};
    const float alpha[] = {1, 1, 2, 1}, beta[] = {0, 0, 1, 0};
    const auto a = randomValues(6 * 5, 1), b = randomValues(5 * 9, 2);
    const CUdeviceptr da = blas.device.upload(a), db = blas.device.upload(b);
    std::vector<CUdeviceptr> as, bs, cs;
    std::vector<std::vector<float>> expected;
    for (int g = 0; g < count; g++) {
        for (int i = 0; i < sizes[g]; i++) {
            expected.push_back(randomValues(6 * 9, 3 + i));
            as.push_back(da);
            bs.push_back(db);
            cs.push_back(blas.device.upload(expected.back()));
            naive(false, false, m[g], n[g], k[g], alpha[g], a.data(), 6, b.data(), 5, beta[g], expected.back().data(), 6);
        }
    }
    const auto pointers = [&](const std::vector<CUdeviceptr>& all) {
        return reinterpret_cast<const void* const*>(blas.device.upload(all));
    };
    CHECK_EQUAL(CUBLAS_STATUS_SUCCESS, cublasSgemmGroupedBatched(blas.handle, none, none, m, n, k, alpha, pointers(as), ld, pointers(bs),
                                                                 ldb, beta, pointers(cs), ld, count, sizes));
    for (size_t i = 0; i < expected.size(); i++) checkNear(expected[i], blas.device.download<float>(cs[i], 6 * 9), 1e-5);
}

TEST(GemmGrouped_InAnOldLibrary_IsNotSupported) {
    Blas blas("no_grouped");
    int version, size = 1;
    float value = 1;
    cublasOperation_t none = CUBLAS_OP_N;
    CHECK_EQUAL(CUBLAS_STATUS_SUCCESS, cublasGetVersion_v2(blas.handle, &version));
    CHECK(version < 120400);
    CHECK_EQUAL(CUBLAS_STATUS_NOT_SUPPORTED, cublasSgemmGroupedBatched(blas.handle, &none, &none, &size, &size, &size, &value, nullptr,
                                                                       &size, nullptr, &size, &value, nullptr, &size, 1, &size));
}

namespace {

/// A call for one group of two 4 x 4 products, whose A, B and C begin at these elements of allocations of their own.
cublasStatus_t groupAt(Blas& blas, std::array<int, 3> first) {
    const cublasOperation_t none = CUBLAS_OP_N;
    const int size = 4, two = 2;
    std::vector<CUdeviceptr> lists;
    for (int offset : first) {
        const CUdeviceptr matrices = blas.device.upload(randomValues(40, 1));
        lists.push_back(blas.device.upload(std::vector<CUdeviceptr>{matrices, matrices + 16 * 4 + offset * sizeof(float)}));
    }
    const auto list = [&](int n) { return reinterpret_cast<const void* const*>(lists[n]); };
    return cublasSgemmGroupedBatched(blas.handle, &none, &none, &size, &size, &size, &one, list(0), &size, list(1), &size, &zero, list(2),
                                     &size, 1, &two);
}

} // namespace

TEST(GemmGrouped_Tf32OffSixteenBytes_BreaksTheContext) {
    for (std::array<int, 3> first : {std::array{1, 0, 0}, {0, 2, 0}, {0, 0, 3}}) {
        Blas blas;
        CHECK_EQUAL(CUBLAS_STATUS_SUCCESS, groupAt(blas, first)); // float32 does not mind
        cublasSetMathMode(blas.handle, CUBLAS_TF32_TENSOR_OP_MATH);
        CHECK_EQUAL(CUBLAS_STATUS_SUCCESS, groupAt(blas, {0, 4, 0}));
        groupAt(blas, first);
        CHECK(findings().find("does not begin at a multiple of 16 bytes") != std::string::npos);
        CHECK_EQUAL(CUDA_ERROR_MISALIGNED_ADDRESS, cuCtxSynchronize());
        CHECK_EQUAL(CUDA_ERROR_MISALIGNED_ADDRESS, cuCtxSynchronize()); // for good
    }
    Blas volta("capability=7.0"); // has no TF32: the mode does nothing
    cublasSetMathMode(volta.handle, CUBLAS_TF32_TENSOR_OP_MATH);
    CHECK_EQUAL(CUBLAS_STATUS_SUCCESS, groupAt(volta, {1, 1, 1}));
    CHECK_EQUAL(CUDA_SUCCESS, cuCtxSynchronize());
}

TEST(Gemm_OneProductOffSixteenBytes_IsWell) {
    Blas blas;
    cublasSetMathMode(blas.handle, CUBLAS_TF32_TENSOR_OP_MATH);
    const CUdeviceptr x = blas.device.upload(randomValues(64, 1));
    CHECK_EQUAL(CUBLAS_STATUS_SUCCESS,
                cublasSgemm_v2(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 4, 4, 4, &one, at(x, 1), 4, at(x, 18), 4, &zero, at(x, 35), 4));
    CHECK_EQUAL(CUDA_SUCCESS, cuCtxSynchronize());
}

TEST(Gemm_Bfloat16OnAnOlderCard_IsNotSupported) {
    for (const char* settings : {"capability=7.5", "capability=8.0"}) {
        Blas blas(settings);
        const CUdeviceptr x = blas.device.upload(std::vector<uint16_t>(48));
        const auto expected = settings[11] == '7' ? CUBLAS_STATUS_NOT_SUPPORTED : CUBLAS_STATUS_SUCCESS;
        CHECK_EQUAL(expected, cublasGemmEx(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 4, 4, 4, &one, at(x), CUDA_R_16BF, 4, at(x, 8),
                                           CUDA_R_16BF, 4, &zero, at(x, 16), CUDA_R_16BF, 4, CUBLAS_COMPUTE_32F, -1));
    }
}

TEST(Gemm_MultiplyAdds_AreCountedByPrecision) {
    Blas blas;
    const CUdeviceptr x = blas.device.upload(randomValues(64, 1));
    const auto multiply = [&] {
        cublasSgemm_v2(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 4, 2, 3, &one, at(x), 4, at(x, 16), 3, &zero, at(x, 32), 4);
    };
    multiply();
    cublasSetMathMode(blas.handle, CUBLAS_TF32_TENSOR_OP_MATH);
    multiply();
    multiply();
    cublasGemmEx(blas.handle, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one, at(x), CUDA_R_16BF, 2, at(x, 16), CUDA_R_16BF, 2, &zero, at(x, 32),
                 CUDA_R_32F, 2, CUBLAS_COMPUTE_32F, -1);
    CHECK_EQUAL(24, activity("productFloatMultiplyAdds"));
    CHECK_EQUAL(48, activity("productTf32MultiplyAdds"));
    CHECK_EQUAL(8, activity("productBfloat16MultiplyAdds"));
    CHECK_EQUAL(4, activity("products"));
}

TEST(Status_NameAndString_AreKnown) {
    CHECK_EQUAL(std::string("CUBLAS_STATUS_NOT_SUPPORTED"), cublasGetStatusName(CUBLAS_STATUS_NOT_SUPPORTED));
    CHECK_EQUAL(std::string("the functionality is not supported"), cublasGetStatusString(CUBLAS_STATUS_NOT_SUPPORTED));
    CHECK_EQUAL(std::string("an unknown status"), cublasGetStatusString(static_cast<cublasStatus_t>(999)));
}
