#include "traffic.h"

#include "interpreter_warp.h"

#include <algorithm>
#include <array>
#include <bit>

namespace emulator {

namespace {

// The different addresses of the active lanes, in rising order.
size_t distinct(const uint64_t* addresses, LaneMask active, std::array<uint64_t, warpLanes>& result) {
    size_t count = 0;
    for (LaneMask rest = active; rest != 0; rest &= rest - 1)
        result[count++] = addresses[std::countr_zero(rest)];
    std::sort(result.begin(), result.begin() + count);
    return size_t(std::unique(result.begin(), result.begin() + count) - result.begin());
}

// Sets bits of a byte map; how many were not set before. Accesses are aligned, so that they lie in one word of the map.
uint64_t setBits(std::vector<uint64_t>& map, uint64_t offset, unsigned bytes) {
    uint64_t bits = ((uint64_t(1) << bytes) - 1) << offset % 64;
    uint64_t& word = map[offset / 64];
    uint64_t fresh = bits & ~word;
    word |= bits;
    return uint64_t(std::popcount(fresh));
}

} // namespace

void Traffic::global(const Instruction& i, const uint64_t* addresses, LaneMask active, AccessKind kind) {
    bool reads = kind != AccessKind::Write, writes = kind == AccessKind::Write || kind == AccessKind::Atomic;
    std::array<uint64_t, warpLanes> sorted;
    size_t count = distinct(addresses, active, sorted);
    uint64_t bytes = count * i.bytes, sectors = 0;
    for (size_t n = 0; n < count; n++)
        sectors += n == 0 || sorted[n] / 32 != sorted[n - 1] / 32;
    counters_.bytesRead += reads ? bytes : 0;
    counters_.bytesWritten += writes ? bytes : 0;
    counters_.sectors += sectors;
    counters_.leastSectors += (bytes + 31) / 32;
    touch(addresses, active, i.bytes, reads, writes);
}

void Traffic::touch(const uint64_t* addresses, LaneMask active, unsigned bytes, bool reads, bool writes) {
    const Allocation* allocation = nullptr;
    Touched* touched = nullptr;
    for (LaneMask rest = active; rest != 0; rest &= rest - 1) {
        uint64_t address = addresses[std::countr_zero(rest)];
        if (allocation == nullptr || !allocation->contains(address, bytes)) {
            allocation = launch_.find(address);
            touched = &touched_[allocation];
            touched->read.resize(allocation->bytes / 64 + 1);
            touched->written.resize(allocation->bytes / 64 + 1);
        }
        if (reads)
            counters_.leastRead += setBits(touched->read, address - allocation->address, bytes);
        if (writes)
            counters_.leastWritten += setBits(touched->written, address - allocation->address, bytes);
    }
}

// Shared memory serves 32 words of different banks at once; lanes that want the same word share it. Wider accesses are served in as many parts as
// they have words: half warps of 8 bytes, quarter warps of 16.
void Traffic::shared(const Instruction& i, const uint64_t* offsets, LaneMask active) {
    constexpr int banks = 32;
    int words = std::max(1, i.bytes / 4), lanes = warpLanes / words;
    for (int first = 0; first < warpLanes; first += lanes) {
        std::array<uint64_t, warpLanes> wanted;
        size_t count = 0;
        for (int lane = first; lane < first + lanes; lane++)
            for (int word = 0; word < words && (active >> lane & 1) != 0; word++)
                wanted[count++] = offsets[lane] / 4 + word;
        std::sort(wanted.begin(), wanted.begin() + count);
        count = size_t(std::unique(wanted.begin(), wanted.begin() + count) - wanted.begin());
        std::array<uint8_t, banks> perBank = {};
        uint8_t most = 0;
        for (size_t n = 0; n < count; n++)
            most = std::max(most, ++perBank[wanted[n] % banks]);
        counters_.bankConflicts += most > 1 ? most - 1 : 0;
    }
}

} // namespace emulator
