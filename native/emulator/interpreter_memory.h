// Loads, stores and atomic operations: which function carries out which form.
#pragma once

#include "interpreter_warp.h"

#include <string>
#include <string_view>

namespace emulator {

struct MemoryForm {
    unsigned elementBytes = 4;
    unsigned count = 1;         // elements of a vector access
    bool isSigned = false;      // a small value is extended by its sign
    AccessKind kind = AccessKind::Read;
    bool wideAddress = true;    // the address register has 8 bytes per lane
};

/// ld and st; operands: the values, then the address.
Execute memoryAccess(MemoryForm form);

/// atom and red: `operation` such as "add", `type` such as "u32"; null where there is no such form. Operands: the result, the address, one
/// or two values. Without `wantsResult` (red) the first operand is not used.
Execute atomicAccess(std::string_view operation, std::string_view type, bool wideAddress, bool wantsResult);

/// The addresses of all lanes: a register plus the instruction's immediate.
void addressesOf(Warp& warp, const Instruction& instruction, uint32_t place, bool wide, uint64_t* addresses);

std::string hexadecimal(uint64_t value);

} // namespace emulator
