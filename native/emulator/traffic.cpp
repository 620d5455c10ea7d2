#include "traffic.h"

#include "interpreter_warp.h"

#include <algorithm>
#include <array>
#include <bit>

namespace emulator {

namespace {

constexpr uint64_t pageBytes = 4096, sectorBytes = 32, bankBytes = 4, banks = 32;

// The addresses of the active lanes, each once, in order.
int sorted(const uint64_t* addresses, LaneMask active, std::array<uint64_t, warpLanes>& result) {
    int count = 0;
    for (LaneMask rest = active; rest != 0; rest &= rest - 1)
        result[count++] = addresses[std::countr_zero(rest)];
    if (!std::is_sorted(result.begin(), result.begin() + count))
        std::sort(result.begin(), result.begin() + count);
    return int(std::unique(result.begin(), result.begin() + count) - result.begin());
}

} // namespace

void Traffic::global(const Warp& warp, const Instruction& i, const uint64_t* addresses, LaneMask active, AccessKind kind) {
    std::array<uint64_t, warpLanes> starts;
    int count = sorted(addresses, active, starts);
    KernelCounters& counters = *warp.launch.counters;
    bool reads = kind != AccessKind::Write, writes = kind == AccessKind::Write || kind == AccessKind::Atomic;

    // All accesses of an instruction have one size and are aligned to it: different ones do not overlap.
    uint64_t bytes = uint64_t(i.bytes) * count, sectors = 0, lastSector = UINT64_MAX;
    for (int n = 0; n < count; n++) {
        uint64_t sector = starts[n] / sectorBytes;
        sectors += sector != lastSector;
        lastSector = sector;
        counters.leastRead += reads ? mark(starts[n], i.bytes, false) : 0;
        counters.leastWritten += writes ? mark(starts[n], i.bytes, true) : 0;
    }
    counters.bytesRead += reads ? bytes : 0;
    counters.bytesWritten += writes ? bytes : 0;
    counters.smallElementBytes += i.elementBytes == 1 || i.elementBytes == 2 ? (bytes * reads + bytes * writes) : 0;
    counters.sectors += sectors;
    counters.leastSectors += (bytes + sectorBytes - 1) / sectorBytes;
}

// How many of the bytes are new. An aligned access lies in one word of the bits.
uint64_t Traffic::mark(uint64_t address, unsigned bytes, bool written) {
    uint64_t number = address / pageBytes;
    if (number != lastNumber_) {
        lastNumber_ = number;
        lastPage_ = &pages_[number];
    }
    uint64_t& word = (written ? lastPage_->written : lastPage_->read)[address % pageBytes / 64];
    uint64_t bits = ((uint64_t(1) << bytes) - 1) << address % 64, fresh = bits & ~word;
    word |= bits;
    return std::popcount(fresh);
}

void Traffic::shared(const Warp& warp, const Instruction& i, const uint64_t* addresses, LaneMask active) {
    int lanesAtOnce = i.bytes <= bankBytes ? warpLanes : int(warpLanes * bankBytes / i.bytes);
    for (int first = 0; first < warpLanes; first += lanesAtOnce) {
        LaneMask turn = active & (lanesAtOnce == warpLanes ? allLanes : ((LaneMask(1) << lanesAtOnce) - 1) << first);
        std::array<uint64_t, warpLanes> starts;
        int count = sorted(addresses, turn, starts);
        std::array<int, banks> words = {};  // different words in each bank
        std::array<uint64_t, banks> last = {};
        last.fill(UINT64_MAX);
        for (int n = 0; n < count; n++)
            for (uint64_t word = starts[n] / bankBytes; word <= (starts[n] + i.bytes - 1) / bankBytes; word++) {
                words[word % banks] += last[word % banks] != word;
                last[word % banks] = word;
            }
        int most = *std::max_element(words.begin(), words.end());
        warp.launch.counters->bankConflicts += most > 1 ? uint64_t(most - 1) : 0;
    }
}

} // namespace emulator
