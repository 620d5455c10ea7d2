// Control flow and the operations of a warp or a block as a whole: which function carries out which opcode.
#pragma once

#include "interpreter_warp.h"

namespace emulator {

// Operands in the order that PTX writes them, unless told otherwise.
void executeBranch(Warp& warp, const Instruction& i, LaneMask active);        // immediate: the target
void executeIndexedBranch(Warp& warp, const Instruction& i, LaneMask active); // immediate: the table; operand: the index
void executeExit(Warp& warp, const Instruction& i, LaneMask active);
void executeTrap(Warp& warp, const Instruction& i, LaneMask active);

enum class BarrierKind : uint8_t { Sync, Arrive, CountTrue, AllTrue, AnyTrue };
// Operands: the result, the barrier, the number of threads (0: all), the predicate.
Execute barrier(BarrierKind kind);
BarrierKind barrierKindOf(const Instruction& i);

void executeFence(Warp& warp, const Instruction& i, LaneMask active);
void executeWarpSync(Warp& warp, const Instruction& i, LaneMask active);

enum class ShuffleKind : uint8_t { Up, Down, Butterfly, Index };
// Operands: the result, its predicate, the value, the lane or distance, the clamp and segment mask, the members.
Execute shuffle(ShuffleKind kind);

enum class VoteKind : uint8_t { All, Any, Uniform, Ballot };
Execute vote(VoteKind kind);

// Operands: the result, its predicate (match.all), the value, the members.
Execute match(bool all, bool wide);
void executeActiveMask(Warp& warp, const Instruction& i, LaneMask active);

} // namespace emulator
