// The arithmetic of a matrix product, apart from everything that cuBLAS's interface asks for.
#pragma once

#include <cstddef>
#include <cstdint>

namespace emulator {

enum class Element { Float32, Bfloat16 };

/// What is done to float32 inputs before they are multiplied: nothing, or what tensor cores do.
enum class Rounding { None, Tf32, Bfloat16 };

/// A matrix in device memory whose element (i, j) is number i·rowStride + j·columnStride.
struct Matrix {
    uint64_t address = 0;
    Element element = Element::Float32;
    int64_t rowStride = 1;
    int64_t columnStride = 1;
};

/// C = alpha·A·B + beta·C with A (m, k), B (k, n), C (m, n). Where beta is 0 C is not read, where alpha is 0 A and B are not.
struct Product {
    int64_t m = 0, n = 0, k = 0;
    Matrix a, b, c;
    float alpha = 1, beta = 0;
    Rounding rounding = Rounding::None;
};

/// Every element of C is one float32 sum over k from first to last, so a product is the same however it is batched.
void multiply(const Product& product);

inline size_t bytesOf(Element element) { return element == Element::Float32 ? 4 : 2; }

} // namespace emulator
