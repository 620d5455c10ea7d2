// Entry points: matrix products, one, batched and grouped. Matrices are column-major, as in cuBLAS.
//
// Sizes are checked when the call is made, as in the real library; where matrices lie is checked when the product runs.
#include "cublas_handle.h"
#include "cublas_product.h"

#include <algorithm>
#include <cstring>
#include <functional>

using namespace emulator;

namespace {

/// One matrix of a call: where it lies comes later.
struct Operand {
    cublasOperation_t transpose = CUBLAS_OP_N;
    cudaDataType_t type = CUDA_R_32F;
    int64_t leadingDimension = 1;
};

/// What all products of a batch share.
struct Shape {
    int64_t m = 0, n = 0, k = 0;
    Operand a, b, c;
    Rounding rounding = Rounding::None;
};

/// The scalars: known at the call, or lying in device memory until the product runs.
struct Scalars {
    cublasPointerMode_t mode = CUBLAS_POINTER_MODE_HOST;
    const float* alpha = nullptr;
    const float* beta = nullptr;
    float alphaValue = 0, betaValue = 0;
};

bool isOperation(cublasOperation_t operation) { return operation >= CUBLAS_OP_N && operation <= CUBLAS_OP_C; }
bool isFloat32Compute(cublasComputeType_t type) {
    return type == CUBLAS_COMPUTE_32F || type == CUBLAS_COMPUTE_32F_PEDANTIC || type == CUBLAS_COMPUTE_32F_FAST_16BF ||
           type == CUBLAS_COMPUTE_32F_FAST_TF32;
}

Element elementOf(cudaDataType_t type) { return type == CUDA_R_16BF ? Element::Bfloat16 : Element::Float32; }

cublasStatus_t checkShape(const Shape& shape) {
    const auto least = [](int64_t rows, int64_t columns, const Operand& o) {
        return std::max<int64_t>(1, o.transpose == CUBLAS_OP_N ? rows : columns);
    };
    if (!isOperation(shape.a.transpose) || !isOperation(shape.b.transpose) || shape.m < 0 || shape.n < 0 || shape.k < 0 ||
        shape.a.leadingDimension < least(shape.m, shape.k, shape.a) || shape.b.leadingDimension < least(shape.k, shape.n, shape.b) ||
        shape.c.leadingDimension < std::max<int64_t>(1, shape.m))
        return CUBLAS_STATUS_INVALID_VALUE;
    return CUBLAS_STATUS_SUCCESS;
}

/// The types that are emulated: float32 throughout, or bfloat16 inputs with sums in float32.
cublasStatus_t checkTypes(const Shape& shape, cublasComputeType_t compute, bool sameOutput) {
    if (!isFloat32Compute(compute) || shape.a.type != shape.b.type) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (shape.a.type == CUDA_R_32F) return shape.c.type == CUDA_R_32F ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
    if (driver().settings.capability < 80) return CUBLAS_STATUS_NOT_SUPPORTED; // bfloat16 came with Ampere
    const bool output = shape.c.type == CUDA_R_16BF || (shape.c.type == CUDA_R_32F && !sameOutput);
    return shape.a.type == CUDA_R_16BF && output && compute == CUBLAS_COMPUTE_32F ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_NOT_SUPPORTED;
}

Rounding roundingOf(const BlasHandle& blas, cublasComputeType_t compute) {
    const int mode = blas.mathMode & ~CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION;
    if (driver().settings.capability < 80) return Rounding::None; // no TF32 there: the modes are allowed and do nothing
    if (compute == CUBLAS_COMPUTE_32F_PEDANTIC || mode == CUBLAS_PEDANTIC_MATH) return Rounding::None;
    if (compute == CUBLAS_COMPUTE_32F_FAST_16BF) return Rounding::Bfloat16;
    return compute == CUBLAS_COMPUTE_32F_FAST_TF32 || mode == CUBLAS_TF32_TENSOR_OP_MATH ? Rounding::Tf32 : Rounding::None;
}

cublasStatus_t takeScalars(const BlasHandle& blas, const void* alpha, const void* beta, Scalars& scalars) {
    if (alpha == nullptr || beta == nullptr) return CUBLAS_STATUS_INVALID_VALUE;
    scalars = {blas.pointerMode, static_cast<const float*>(alpha), static_cast<const float*>(beta), 0, 0};
    if (scalars.mode == CUBLAS_POINTER_MODE_HOST) {
        scalars.alphaValue = *scalars.alpha;
        scalars.betaValue = *scalars.beta;
    }
    return CUBLAS_STATUS_SUCCESS;
}

/// op(X) as a matrix of strides.
Matrix view(uint64_t address, const Operand& operand) {
    Matrix matrix{address, elementOf(operand.type), 1, operand.leadingDimension};
    if (operand.transpose != CUBLAS_OP_N) std::swap(matrix.rowStride, matrix.columnStride);
    return matrix;
}

Finding finding(const std::string& call, const Shape& shape, const std::string& what, CUresult error) {
    return {error, call + " with m " + std::to_string(shape.m) + ", n " + std::to_string(shape.n) + ", k " + std::to_string(shape.k) +
                       ": " + what};
}

std::optional<Finding> checkMatrix(const Context& context, const std::string& call, const Shape& shape, const char* name,
                                   const Matrix& matrix, int64_t rows, int64_t columns) {
    if (rows == 0 || columns == 0) return {};
    const size_t size = bytesOf(matrix.element);
    if (matrix.address % size != 0)
        return finding(call, shape, std::string(name) + " is not aligned to its elements", CUDA_ERROR_MISALIGNED_ADDRESS);
    const int64_t elements = (rows - 1) * matrix.rowStride + (columns - 1) * matrix.columnStride + 1;
    const std::string why = outside(context, matrix.address, elements * size);
    if (why.empty()) return {};
    return finding(call, shape, std::string(name) + " is not inside one allocation: " + why, CUDA_ERROR_ILLEGAL_ADDRESS);
}

std::optional<Finding> readScalar(const Context& context, const std::string& call, const Shape& shape, const float* from, float& value) {
    const auto address = reinterpret_cast<uint64_t>(from);
    const std::string why = outside(context, address, sizeof value);
    if (!why.empty())
        return finding(call, shape, "a scalar in device pointer mode is not in device memory: " + why, CUDA_ERROR_ILLEGAL_ADDRESS);
    std::memcpy(&value, from, sizeof value);
    return {};
}

std::optional<Finding> runProduct(const Context& context, const std::string& call, const Shape& shape, const Scalars& scalars, uint64_t a,
                                  uint64_t b, uint64_t c) {
    if (shape.m == 0 || shape.n == 0) return {};
    Product product{shape.m,           shape.n,       shape.k, view(a, shape.a), view(b, shape.b), view(c, shape.c), scalars.alphaValue,
                    scalars.betaValue, shape.rounding};
    if (scalars.mode == CUBLAS_POINTER_MODE_DEVICE) {
        if (auto wrong = readScalar(context, call, shape, scalars.alpha, product.alpha)) return wrong;
        if (auto wrong = readScalar(context, call, shape, scalars.beta, product.beta)) return wrong;
    }
    if (product.alpha != 0 && product.k > 0) {
        if (auto wrong = checkMatrix(context, call, shape, "A", product.a, shape.m, shape.k)) return wrong;
        if (auto wrong = checkMatrix(context, call, shape, "B", product.b, shape.k, shape.n)) return wrong;
        if (c == a || c == b) return finding(call, shape, "C lies where an input lies", CUDA_ERROR_INVALID_VALUE);
    }
    if (auto wrong = checkMatrix(context, call, shape, "C", product.c, shape.m, shape.n)) return wrong;
    multiply(product);
    Counts& counts = driver().counts;
    const bool isBfloat16 = shape.a.type == CUDA_R_16BF || shape.rounding == Rounding::Bfloat16;
    (isBfloat16 ? counts.bfloat16MultiplyAdds : shape.rounding == Rounding::Tf32 ? counts.tf32MultiplyAdds : counts.floatMultiplyAdds) +=
        shape.m * shape.n * shape.k;
    return {};
}

cublasStatus_t launch(const BlasHandle& blas, const char* call, Work work) {
    const auto stream = findStream(*blas.context, blas.stream);
    if (!stream) {
        report(std::string(call) + ": the handle's stream was destroyed");
        return CUBLAS_STATUS_EXECUTION_FAILED;
    }
    if (!stream->capture && ++driver().counts.products == driver().settings.oomProduct) return CUBLAS_STATUS_ALLOC_FAILED;
    return enqueue(stream, std::move(work)) == CUDA_SUCCESS ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

/// A product, or a batch of them with the matrices at fixed strides (in elements).
cublasStatus_t strided(BlasHandle& blas, const char* call, const Shape& shape, const void* alpha, const void* beta, const void* a,
                       int64_t strideA, const void* b, int64_t strideB, void* c, int64_t strideC, int count) {
    Scalars scalars;
    if (const auto status = checkShape(shape)) return status;
    if (const auto status = takeScalars(blas, alpha, beta, scalars)) return status;
    if (count < 0) return CUBLAS_STATUS_INVALID_VALUE;
    if (count == 0 || shape.m == 0 || shape.n == 0) return CUBLAS_STATUS_SUCCESS;
    if (count > 1 && strideC == 0) {
        report(std::string(call) + ": all products of the batch would write to the same C");
        return CUBLAS_STATUS_INVALID_VALUE;
    }
    return launch(blas, call, [=, context = blas.context]() -> std::optional<Finding> {
        const auto at = [](const void* first, const Operand& operand, int64_t elements) {
            return reinterpret_cast<uint64_t>(first) + static_cast<uint64_t>(elements) * bytesOf(elementOf(operand.type));
        };
        for (int64_t i = 0; i < count; i++)
            if (auto wrong = runProduct(*context, call, shape, scalars, at(a, shape.a, i * strideA), at(b, shape.b, i * strideB),
                                        at(c, shape.c, i * strideC)))
                return wrong;
        return {};
    });
}

/// An array of addresses that lies in device memory.
using Pointers = const void* const*;

std::optional<Finding> checkPointers(const Context& context, const std::string& call, const Shape& shape, const char* name,
                                     Pointers pointers, size_t count) {
    const std::string why = outside(context, reinterpret_cast<uint64_t>(pointers), count * sizeof(void*));
    if (why.empty()) return {};
    return finding(call, shape, std::string("the array of pointers to ") + name + " is not in device memory: " + why,
                   CUDA_ERROR_ILLEGAL_ADDRESS);
}

/// Products of a list of addresses run kernels that load 16 bytes at once where tensor cores multiply, whatever the addresses are; a
/// single product looks at its addresses and chooses another kernel.
std::optional<Finding> checkAlignment(const std::string& call, const Shape& shape, const void* a, const void* b, const void* c) {
    constexpr uint64_t alignment = 16;
    if ((shape.rounding == Rounding::None && shape.a.type == CUDA_R_32F) || shape.m == 0 || shape.n == 0) return {};
    for (auto [name, address] : {std::pair{"A", a}, {"B", b}, {"C", c}})
        if (reinterpret_cast<uint64_t>(address) % alignment != 0)
            return finding(call, shape, name + std::string(" does not begin at a multiple of 16 bytes, as lists need on tensor cores"),
                           CUDA_ERROR_MISALIGNED_ADDRESS);
    return {};
}

struct Group {
    Shape shape;
    Scalars scalars;
    int64_t size = 0;
};

/// Groups of products that share a shape; the matrices of all of them, group after group, lie where the arrays say.
cublasStatus_t grouped(BlasHandle& blas, const char* call, std::vector<Group> groups, Pointers a, Pointers b, Pointers c) {
    for (const Group& group : groups) {
        if (const auto status = checkShape(group.shape)) return status;
        if (group.size < 0) return CUBLAS_STATUS_INVALID_VALUE;
    }
    // The sizes lie on the host, and how a card gets them is nowhere said: a graph might keep the place and not the numbers.
    if (const auto stream = findStream(*blas.context, blas.stream); stream && forbidWait(stream, call) != CUDA_SUCCESS)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    return launch(blas, call, [=, context = blas.context, groups = std::move(groups)]() -> std::optional<Finding> {
        size_t count = 0, next = 0;
        for (const Group& group : groups) count += group.size;
        if (count == 0) return {};
        const Shape& first = groups.front().shape;
        if (auto wrong = checkPointers(*context, call, first, "A", a, count)) return wrong;
        if (auto wrong = checkPointers(*context, call, first, "B", b, count)) return wrong;
        if (auto wrong = checkPointers(*context, call, first, "C", c, count)) return wrong;
        for (const Group& group : groups)
            for (int64_t i = 0; i < group.size; i++, next++) {
                if (auto wrong = checkAlignment(call, group.shape, a[next], b[next], c[next])) return wrong;
                if (auto wrong = runProduct(*context, call, group.shape, group.scalars, reinterpret_cast<uint64_t>(a[next]),
                                            reinterpret_cast<uint64_t>(b[next]), reinterpret_cast<uint64_t>(c[next])))
                    return wrong;
            }
        return {};
    });
}

/// The arrays of sizes and scalars of a grouped call, which lie in host memory.
struct GroupArrays {
    const cublasOperation_t *transposeA, *transposeB;
    const int *m, *n, *k;
    const float* alpha;
    const int *lda, *ldb;
    const float* beta;
    const int* ldc;
    int count;
    const int* sizes;
};

cublasStatus_t groupedOf(BlasHandle& blas, const char* call, const GroupArrays& of, Pointers a, cudaDataType_t typeA, Pointers b,
                         cudaDataType_t typeB, Pointers c, cudaDataType_t typeC, cublasComputeType_t compute) {
    if (driver().settings.noGrouped || blas.pointerMode != CUBLAS_POINTER_MODE_HOST) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (++driver().counts.grouped == driver().settings.failGrouped) return CUBLAS_STATUS_INTERNAL_ERROR;
    if (of.count < 0) return CUBLAS_STATUS_INVALID_VALUE;
    if (of.count == 0) return CUBLAS_STATUS_SUCCESS;
    if (!of.transposeA || !of.transposeB || !of.m || !of.n || !of.k || !of.alpha || !of.lda || !of.ldb || !of.beta || !of.ldc || !of.sizes)
        return CUBLAS_STATUS_INVALID_VALUE;

    std::vector<Group> groups;
    for (int g = 0; g < of.count; g++) {
        Group group;
        group.shape = {of.m[g], of.n[g], of.k[g], {of.transposeA[g], typeA, of.lda[g]}, {of.transposeB[g], typeB, of.ldb[g]},
                       {CUBLAS_OP_N, typeC, of.ldc[g]}, roundingOf(blas, compute)};
        group.scalars = {CUBLAS_POINTER_MODE_HOST, nullptr, nullptr, of.alpha[g], of.beta[g]};
        group.size = of.sizes[g];
        groups.push_back(group);
    }
    if (const auto status = checkTypes(groups.front().shape, compute, true)) return status;
    return grouped(blas, call, std::move(groups), a, b, c);
}

Shape float32Shape(const BlasHandle& blas, cublasOperation_t transposeA, cublasOperation_t transposeB, int m, int n, int k, int lda,
                   int ldb, int ldc) {
    return {m,
            n,
            k,
            {transposeA, CUDA_R_32F, lda},
            {transposeB, CUDA_R_32F, ldb},
            {CUBLAS_OP_N, CUDA_R_32F, ldc},
            roundingOf(blas, CUBLAS_COMPUTE_32F)};
}

} // namespace

EMULATOR_API cublasStatus_t cublasSgemm_v2(cublasHandle_t handle, cublasOperation_t transposeA, cublasOperation_t transposeB, int m, int n,
                                           int k, const float* alpha, const float* a, int lda, const float* b, int ldb, const float* beta,
                                           float* c, int ldc) {
    return withHandle(handle, [&](BlasHandle& blas) {
        return strided(blas, "cublasSgemm", float32Shape(blas, transposeA, transposeB, m, n, k, lda, ldb, ldc), alpha, beta, a, 0, b, 0, c,
                       0, 1);
    });
}

EMULATOR_API cublasStatus_t cublasSgemmStridedBatched(cublasHandle_t handle, cublasOperation_t transposeA, cublasOperation_t transposeB,
                                                      int m, int n, int k, const float* alpha, const float* a, int lda, long long strideA,
                                                      const float* b, int ldb, long long strideB, const float* beta, float* c, int ldc,
                                                      long long strideC, int count) {
    return withHandle(handle, [&](BlasHandle& blas) {
        return strided(blas, "cublasSgemmStridedBatched", float32Shape(blas, transposeA, transposeB, m, n, k, lda, ldb, ldc), alpha, beta,
                       a, strideA, b, strideB, c, strideC, count);
    });
}

EMULATOR_API cublasStatus_t cublasGemmStridedBatchedEx(cublasHandle_t handle, cublasOperation_t transposeA, cublasOperation_t transposeB,
                                                       int m, int n, int k, const void* alpha, const void* a, cudaDataType_t typeA, int lda,
                                                       long long strideA, const void* b, cudaDataType_t typeB, int ldb, long long strideB,
                                                       const void* beta, void* c, cudaDataType_t typeC, int ldc, long long strideC,
                                                       int count, cublasComputeType_t compute, int) {
    return withHandle(handle, [&](BlasHandle& blas) {
        const Shape shape{
            m, n, k, {transposeA, typeA, lda}, {transposeB, typeB, ldb}, {CUBLAS_OP_N, typeC, ldc}, roundingOf(blas, compute)};
        if (const auto status = checkTypes(shape, compute, false)) return status;
        return strided(blas, "cublasGemmStridedBatchedEx", shape, alpha, beta, a, strideA, b, strideB, c, strideC, count);
    });
}

EMULATOR_API cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transposeA, cublasOperation_t transposeB, int m, int n,
                                         int k, const void* alpha, const void* a, cudaDataType_t typeA, int lda, const void* b,
                                         cudaDataType_t typeB, int ldb, const void* beta, void* c, cudaDataType_t typeC, int ldc,
                                         cublasComputeType_t compute, int) {
    return withHandle(handle, [&](BlasHandle& blas) {
        const Shape shape{
            m, n, k, {transposeA, typeA, lda}, {transposeB, typeB, ldb}, {CUBLAS_OP_N, typeC, ldc}, roundingOf(blas, compute)};
        if (const auto status = checkTypes(shape, compute, false)) return status;
        return strided(blas, "cublasGemmEx", shape, alpha, beta, a, 0, b, 0, c, 0, 1);
    });
}

EMULATOR_API cublasStatus_t cublasSgemmBatched(cublasHandle_t handle, cublasOperation_t transposeA, cublasOperation_t transposeB, int m,
                                               int n, int k, const float* alpha, Pointers a, int lda, Pointers b, int ldb,
                                               const float* beta, Pointers c, int ldc, int count) {
    return withHandle(handle, [&](BlasHandle& blas) {
        Group group{float32Shape(blas, transposeA, transposeB, m, n, k, lda, ldb, ldc), {}, count};
        if (const auto status = takeScalars(blas, alpha, beta, group.scalars)) return status;
        return grouped(blas, "cublasSgemmBatched", {group}, a, b, c);
    });
}

EMULATOR_API cublasStatus_t cublasSgemmGroupedBatched(cublasHandle_t handle, const cublasOperation_t* transposeA,
                                                      const cublasOperation_t* transposeB, const int* m, const int* n, const int* k,
                                                      const float* alpha, Pointers a, const int* lda, Pointers b, const int* ldb,
                                                      const float* beta, Pointers c, const int* ldc, int count, const int* sizes) {
    return withHandle(handle, [&](BlasHandle& blas) {
        return groupedOf(blas, "cublasSgemmGroupedBatched", {transposeA, transposeB, m, n, k, alpha, lda, ldb, beta, ldc, count, sizes}, a,
                         CUDA_R_32F, b, CUDA_R_32F, c, CUDA_R_32F, CUBLAS_COMPUTE_32F);
    });
}

EMULATOR_API cublasStatus_t cublasGemmGroupedBatchedEx(cublasHandle_t handle, const cublasOperation_t* transposeA,
                                                       const cublasOperation_t* transposeB, const int* m, const int* n, const int* k,
                                                       const void* alpha, Pointers a, cudaDataType_t typeA, const int* lda, Pointers b,
                                                       cudaDataType_t typeB, const int* ldb, const void* beta, Pointers c,
                                                       cudaDataType_t typeC, const int* ldc, int count, const int* sizes,
                                                       cublasComputeType_t compute) {
    return withHandle(handle, [&](BlasHandle& blas) {
        return groupedOf(blas, "cublasGemmGroupedBatchedEx",
                         {transposeA, transposeB, m, n, k, static_cast<const float*>(alpha), lda, ldb, static_cast<const float*>(beta), ldc,
                          count, sizes},
                         a, typeA, b, typeB, c, typeC, compute);
    });
}
