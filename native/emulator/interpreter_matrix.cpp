// mma and ldmatrix. A lane holds a fragment of each matrix; a multiplication takes the fragments of the 32 lanes together, multiplies the
// matrices in one tight loop, and gives each lane its part of the result. Layouts by the PTX ISA, "Matrix fragments for mma":
// lane = 4 g + t.
//   A (16 x k)  register r holds row g + 8 (r % 2); a 16-bit pair begins in column 2 t + 8 (r / 2), a 32-bit value is in t + 4 (r / 2)
//   B (k x 8)   column g; register r begins in row 2 t + 8 r, or is row t + 4 r
//   C, D        register r holds row g + 8 (r / 2), column 2 t + r % 2
// An element of D is one float32 sum from C over k in its order. A product of two bf16 or tf32 numbers is exact in float32, so that a fused
// multiply-add would give the same. (The order of the sums inside a tensor core is not told, and its sums are cut, not rounded.)
#include "interpreter_matrix.h"

#include "interpreter_memory.h"

#include <algorithm>
#include <array>
#include <bit>

namespace emulator {

namespace {

constexpr int rows = 16, columns = 8;

struct Bfloat16 {
    static constexpr int inRegister = 2;
    static constexpr uint64_t KernelCounters::*operations = &KernelCounters::bfloat16Operations;
    static constexpr uint64_t KernelCounters::*multiplyAdds = &KernelCounters::bfloat16MultiplyAdds;
    static float element(uint32_t bits, int which) { return std::bit_cast<float>(which == 0 ? bits << 16 : bits & 0xFFFF0000); }
};

// The low 13 bits of a float32 are ignored.
struct Tf32 {
    static constexpr int inRegister = 1;
    static constexpr uint64_t KernelCounters::*operations = &KernelCounters::tf32Operations;
    static constexpr uint64_t KernelCounters::*multiplyAdds = &KernelCounters::tf32MultiplyAdds;
    static constexpr uint32_t ignored = 0x1FFF;
    static float element(uint32_t bits, int) { return std::bit_cast<float>(bits & ~ignored); }
};

// An operand that cvt.rna.tf32 did not round: cut off instead, all products come out too small.
void requireRounded(const Warp& warp, const Instruction& i, uint32_t place, const char* matrix) {
    const auto* bits = reinterpret_cast<const uint32_t*>(warp.registers + place);
    for (int lane = 0; lane < warpLanes; lane++) {
        bool isNumber = (bits[lane] & 0x7F800000) != 0x7F800000;
        if (isNumber && (bits[lane] & Tf32::ignored) != 0)
            warp.fail(i, lane, errorLaunchFailed,
                      "multiplies " + hexadecimal(bits[lane]) + " of matrix " + matrix +
                          " as tf32, which cuts its low 13 bits off: round it by cvt.rna.tf32.f32 before");
    }
}

// Where a column of B, C and D lies here: the even ones come first, for a register of C has the even or the odd ones.
constexpr int evenFirst(int column) {
    return column / 2 + 4 * (column % 2);
}

template <class Type, int depth> void executeMultiply(Warp& warp, const Instruction& i, LaneMask active) {
    constexpr int perRegister = Type::inRegister, half = 4 * perRegister; // columns of A in a register of all lanes of a row
    constexpr int aRegisters = 2 * depth / half, bRegisters = depth / half;
    if (!warp.gatherAll(i, active))
        return;
    const uint32_t* places = warp.launch.kernel.operandLists[size_t(i.immediate)].data();
    const uint32_t *placesOfA = places + 4, *placesOfB = placesOfA + aRegisters, *placesOfC = placesOfB + bRegisters;
    if constexpr (perRegister == 1)
        if (warp.launch.settings.strict) {
            for (int r = 0; r < aRegisters; r++)
                requireRounded(warp, i, placesOfA[r], "A");
            for (int r = 0; r < bRegisters; r++)
                requireRounded(warp, i, placesOfB[r], "B");
        }

    // A stays as it lies in the lanes: four of a group hold neighbours of a row. B is turned, so that its rows are vectors.
    alignas(64) float a[aRegisters][perRegister][warpLanes], b[depth][columns], sums[rows][columns];
    for (int r = 0; r < aRegisters; r++) {
        const auto* bits = warp.lanesOf<uint32_t>(placesOfA[r]);
        for (int n = 0; n < perRegister; n++)
            for (int lane = 0; lane < warpLanes; lane++)
                a[r][n][lane] = Type::element(bits[lane], n);
    }
    for (int r = 0; r < bRegisters; r++) {
        const auto* bits = warp.lanesOf<uint32_t>(placesOfB[r]);
        for (int lane = 0; lane < warpLanes; lane++)
            for (int n = 0; n < perRegister; n++)
                b[perRegister * (lane % 4) + n + half * r][evenFirst(lane / 4)] = Type::element(bits[lane], n);
    }
    for (int row = 0; row < rows; row++)
        for (int odd = 0; odd < 2; odd++)
            std::copy_n(warp.lanesOf<float>(placesOfC[2 * (row / 8) + odd]) + 4 * (row % 8), 4, sums[row] + 4 * odd);

    for (int row = 0; row < rows; row++)
        for (int k = 0; k < depth; k++) {
            float value = a[row / 8 + 2 * (k / half)][k % perRegister][4 * (row % 8) + k % half / perRegister];
            for (int column = 0; column < columns; column++)
                sums[row][column] += value * b[k][column];
        }

    for (int row = 0; row < rows; row++)
        for (int odd = 0; odd < 2; odd++)
            std::copy_n(sums[row] + 4 * odd, 4, warp.lanesOf<float>(places[2 * (row / 8) + odd]) + 4 * (row % 8));
    if (KernelCounters* counters = warp.launch.counters) {
        counters->*Type::operations += 1;
        counters->*Type::multiplyAdds += uint64_t(rows) * columns * depth;
    }
}

constexpr MatrixForm forms[] = {
    {"m16n8k16.row.col.f32.bf16.bf16.f32", 4, 2, executeMultiply<Bfloat16, 16>},
    {"m16n8k8.row.col.f32.bf16.bf16.f32", 2, 1, executeMultiply<Bfloat16, 8>},
    {"m16n8k8.row.col.f32.tf32.tf32.f32", 4, 2, executeMultiply<Tf32, 8>},
    {"m16n8k4.row.col.f32.tf32.tf32.f32", 2, 1, executeMultiply<Tf32, 4>},
};

// Lane 8 m + r gives the address of row r of matrix m. Lane 4 g + t gets columns 2 t and 2 t + 1 of row g of each, or of the transposed.
template <int matrices, bool transposed, bool wideAddress> void executeLoadMatrix(Warp& warp, const Instruction& i, LaneMask active) {
    if (!warp.gatherAll(i, active))
        return;
    alignas(64) uint64_t addresses[warpLanes];
    addressesOf(warp, i, i.operands[matrices], wideAddress, addresses);
    constexpr LaneMask givers = matrices == 4 ? allLanes : (LaneMask(1) << 8 * matrices) - 1;
    if (i.space == Space::Generic)
        for (int lane = 0; lane < 8 * matrices; lane++)
            if ((addresses[lane] & windowMask) != sharedWindow)
                warp.fail(i, lane, errorIllegalAddress,
                          "loads a matrix from " + hexadecimal(addresses[lane]) + ", which is not shared memory");
    warp.resolve(i, addresses, givers, AccessKind::MatrixRead);

    for (int m = 0; m < matrices; m++) {
        alignas(64) uint32_t loaded[warpLanes];
        if constexpr (transposed) {
            for (int lane = 0; lane < warpLanes; lane++) {
                const auto* low = reinterpret_cast<const uint16_t*>(addresses[8 * m + 2 * (lane % 4)]);
                const auto* high = reinterpret_cast<const uint16_t*>(addresses[8 * m + 2 * (lane % 4) + 1]);
                loaded[lane] = low[lane / 4] | uint32_t(high[lane / 4]) << 16;
            }
        } else {
            for (int lane = 0; lane < warpLanes; lane++)
                loaded[lane] = reinterpret_cast<const uint32_t*>(addresses[8 * m + lane / 4])[lane % 4];
        }
        std::copy_n(loaded, warpLanes, warp.lanesOf<uint32_t>(i.operands[m]));
    }
}

template <int matrices> Execute pickLoad(bool transposed, bool wide) {
    if (transposed)
        return wide ? executeLoadMatrix<matrices, true, true> : executeLoadMatrix<matrices, true, false>;
    return wide ? executeLoadMatrix<matrices, false, true> : executeLoadMatrix<matrices, false, false>;
}

} // namespace

const MatrixForm* matrixForm(std::string_view opcode) {
    for (const MatrixForm& form : forms)
        if (form.opcode == opcode)
            return &form;
    return nullptr;
}

Execute matrixLoad(unsigned matrices, bool transposed, bool wide) {
    return matrices == 1 ? pickLoad<1>(transposed, wide) : matrices == 2 ? pickLoad<2>(transposed, wide) : pickLoad<4>(transposed, wide);
}

} // namespace emulator
