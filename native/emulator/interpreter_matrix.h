// Tensor cores, and how their operands come into place: which function carries out which opcode.
#pragma once

#include "interpreter_warp.h"

#include <string_view>

namespace emulator {

/// A shape and type of mma, and how many registers of a lane hold its matrices. C and D: 16 x 8 float32 in 4 registers.
struct MatrixForm {
    std::string_view opcode; // without "mma.sync.aligned."
    unsigned aRegisters = 0;
    unsigned bRegisters = 0;
    Execute execute = nullptr;
};

/// The form of an opcode such as "m16n8k16.row.col.f32.bf16.bf16.f32", or null. Operands, in the kernel's list of operands whose number is
/// the immediate: D, A, B, C.
const MatrixForm* matrixForm(std::string_view opcode);

/// ldmatrix of 1, 2 or 4 matrices of 8 rows of 16 bytes; operands: the results, the address.
Execute matrixLoad(unsigned matrices, bool transposed, bool wideAddress);

// cp.async: operands: the target (shared memory), the source (8 bytes per lane), the bytes of the source, a predicate that asks for zeros
// instead. Immediate: the two offsets, the target's in the low half.
Execute asyncCopy(bool wideTarget);
void executeCommitCopies(Warp& warp, const Instruction& i, LaneMask active);
void executeAwaitCopies(Warp& warp, const Instruction& i, LaneMask active); // immediate: the groups that may stay under way
void executeAwaitAllCopies(Warp& warp, const Instruction& i, LaneMask active);

} // namespace emulator
