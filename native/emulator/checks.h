// What a real device does not tell: races and reads of uninitialised shared memory (Checks), and what an access costs (Traffic).
#pragma once

#include "ptx.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

namespace emulator {

class Block;
struct KernelCounters;
struct LaunchState;

enum class AccessKind : uint8_t { Read, ReadOnly, Write, Atomic };

class Checks {
public:
    void startBlock(const Block&) {}
    void passBarrier(const Block&) {}
    void synchronize(const Warp&, LaneMask) {}
    void fence(const Warp&) {}
    void shared(const Warp&, const Instruction&, const uint64_t*, LaneMask, AccessKind) {}
    void global(const Warp&, const Instruction&, const uint64_t*, LaneMask, AccessKind) {}
};

class Traffic {
public:
    void global(const Warp&, const Instruction&, const uint64_t*, LaneMask, AccessKind) {}
    void shared(const Warp&, const Instruction&, const uint64_t*, LaneMask) {}
};

} // namespace emulator
