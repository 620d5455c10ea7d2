// Both inputs are copied into panels, which undoes transposes, strides and types; then a small kernel that stays in
// registers makes one tile of C after the other.
#include "cublas_product.h"

#include <algorithm>
#include <bit>
#include <vector>

namespace emulator {
namespace {

constexpr int64_t tileRows = 8, tileColumns = 4;

float fromBfloat16(uint16_t bits) { return std::bit_cast<float>(uint32_t(bits) << 16); }

/// To the nearest value whose last `dropped` bits are zero, ties to even; infinities and NaN stay.
float roundBits(float value, int dropped) {
    uint32_t bits = std::bit_cast<uint32_t>(value);
    if ((bits & 0x7f800000u) == 0x7f800000u) return value;
    bits += (1u << (dropped - 1)) - 1 + ((bits >> dropped) & 1);
    return std::bit_cast<float>(bits & ~((1u << dropped) - 1));
}

uint16_t toBfloat16(float value) {
    const uint32_t bits = std::bit_cast<uint32_t>(value);
    if (value != value) return static_cast<uint16_t>(bits >> 16 | 0x40); // stays a NaN
    return static_cast<uint16_t>(std::bit_cast<uint32_t>(roundBits(value, 16)) >> 16);
}

float load(const Matrix& matrix, int64_t index, Rounding rounding) {
    if (matrix.element == Element::Bfloat16) return fromBfloat16(reinterpret_cast<const uint16_t*>(matrix.address)[index]);
    const float value = reinterpret_cast<const float*>(matrix.address)[index];
    if (rounding == Rounding::Tf32) return roundBits(value, 13);
    return rounding == Rounding::Bfloat16 ? roundBits(value, 16) : value;
}

/// Copies `count` lines of `length` elements into panels of `width` lines: element p of the line l of a panel goes to
/// p·width + l. Lines that are missing in the last panel are zeros.
template <int64_t width>
void pack(const Matrix& matrix, int64_t lineStride, int64_t elementStride, int64_t count, int64_t length, Rounding rounding,
          float* panels) {
    for (int64_t first = 0; first < count; first += width, panels += width * length) {
        const int64_t lines = std::min(width, count - first);
        if (lines < width) std::fill_n(panels, width * length, 0.0f);
        if (matrix.element == Element::Float32 && rounding == Rounding::None) {
            const float* source = reinterpret_cast<const float*>(matrix.address) + first * lineStride;
            if (lines == width) {
                for (int64_t p = 0; p < length; p++)
                    for (int64_t l = 0; l < width; l++) panels[p * width + l] = source[l * lineStride + p * elementStride];
            } else {
                for (int64_t l = 0; l < lines; l++)
                    for (int64_t p = 0; p < length; p++) panels[p * width + l] = source[l * lineStride + p * elementStride];
            }
        } else {
            for (int64_t l = 0; l < lines; l++)
                for (int64_t p = 0; p < length; p++)
                    panels[p * width + l] = load(matrix, (first + l) * lineStride + p * elementStride, rounding);
        }
    }
}

/// sums[j][i] = Σ_p a[p][i]·b[p][j]
void multiplyTile(const float* __restrict a, const float* __restrict b, int64_t k, float* __restrict sums) {
    float s[tileColumns][tileRows] = {};
    for (int64_t p = 0; p < k; p++, a += tileRows, b += tileColumns)
        for (int64_t j = 0; j < tileColumns; j++)
            for (int64_t i = 0; i < tileRows; i++) s[j][i] += a[i] * b[j];
    std::copy_n(&s[0][0], tileColumns * tileRows, sums);
}

void store(const Product& product, int64_t firstRow, int64_t firstColumn, const float* sums) {
    const int64_t rows = std::min(tileRows, product.m - firstRow), columns = std::min(tileColumns, product.n - firstColumn);
    for (int64_t j = 0; j < columns; j++) {
        for (int64_t i = 0; i < rows; i++) {
            const int64_t index = (firstRow + i) * product.c.rowStride + (firstColumn + j) * product.c.columnStride;
            float value = product.alpha * sums[j * tileRows + i];
            if (product.beta != 0) value += product.beta * load(product.c, index, Rounding::None);
            if (product.c.element == Element::Float32) reinterpret_cast<float*>(product.c.address)[index] = value;
            else reinterpret_cast<uint16_t*>(product.c.address)[index] = toBfloat16(value);
        }
    }
}

} // namespace

void multiply(const Product& product) {
    const int64_t k = product.alpha == 0 ? 0 : product.k;
    thread_local std::vector<float> aPanel, bPanels;
    aPanel.resize(static_cast<size_t>(tileRows * k));
    bPanels.resize(static_cast<size_t>((product.n + tileColumns - 1) / tileColumns * tileColumns * k));
    pack<tileColumns>(product.b, product.b.columnStride, product.b.rowStride, product.n, k, product.rounding, bPanels.data());

    float sums[tileColumns * tileRows];
    Matrix rows = product.a;
    for (int64_t i = 0; i < product.m; i += tileRows) {
        pack<tileRows>(rows, product.a.rowStride, product.a.columnStride, std::min(tileRows, product.m - i), k, product.rounding,
                       aPanel.data());
        rows.address += static_cast<uint64_t>(tileRows * product.a.rowStride) * bytesOf(rows.element);
        for (int64_t j = 0; j < product.n; j += tileColumns) {
            multiplyTile(aPanel.data(), bPanels.data() + j * k, k, sums);
            store(product, i, j, sums);
        }
    }
}

} // namespace emulator
