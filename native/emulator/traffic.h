// What the memory accesses of a launch cost: bytes, 32-byte sectors and bank conflicts.
#pragma once

#include "checks.h"
#include "counters.h"

#include <map>
#include <vector>

namespace emulator {

class Traffic {
public:
    Traffic(const LaunchState& launch, KernelCounters& counters) : launch_(launch), counters_(counters) {}
    void global(const Instruction& i, const uint64_t* addresses, LaneMask active, AccessKind kind);
    void shared(const Instruction& i, const uint64_t* offsets, LaneMask active);

private:
    struct Touched { // a bit for each byte of an allocation
        std::vector<uint64_t> read, written;
    };
    void touch(const uint64_t* addresses, LaneMask active, unsigned bytes, bool reads, bool writes);

    const LaunchState& launch_;
    KernelCounters& counters_;
    std::map<const Allocation*, Touched> touched_;
};

} // namespace emulator
