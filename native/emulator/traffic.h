// What the accesses of a launch cost: bytes, sectors and bank conflicts, as a card would have them without caches.
#pragma once

#include "checks.h"

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace emulator {

class Traffic {
public:
    /// Host addresses. Bytes that several lanes access count once; the least of the launch counts each byte once.
    void global(const Warp& warp, const Instruction& instruction, const uint64_t* addresses, LaneMask active, AccessKind kind);

    /// Offsets in shared memory. 32 banks of 4 bytes; an access of 8 or 16 bytes per lane takes two or four turns of half or a
    /// quarter of a warp.
    void shared(const Warp& warp, const Instruction& instruction, const uint64_t* addresses, LaneMask active);

private:
    /// Which bytes of 4096 were read and written: a bit each.
    struct Page {
        std::vector<uint64_t> read = std::vector<uint64_t>(64), written = std::vector<uint64_t>(64);
    };

    uint64_t mark(uint64_t address, unsigned bytes, bool written);

    std::unordered_map<uint64_t, Page> pages_; // by their number
    uint64_t lastNumber_ = UINT64_MAX;
    Page* lastPage_ = nullptr;
};

} // namespace emulator
