#include "checks.h"

#include "interpreter_warp.h"

#include <bit>
#include <string>

namespace emulator {

namespace {

constexpr uint64_t pageBytes = 1024;

const char* verbOf(AccessKind kind) {
    return kind == AccessKind::Write ? "writes" : kind == AccessKind::Atomic ? "updates" : "reads";
}

std::string inOneLine(std::string text) {
    for (size_t at = text.find("\n  "); at != std::string::npos; at = text.find("\n  "))
        text.replace(at, 3, ", ");
    return text;
}

} // namespace

struct Checks::Page {
    Byte bytes[pageBytes];
};

Checks::Checks() = default;
Checks::~Checks() = default;

void Checks::startBlock(const Block& block) {
    firstInterval_ = ++interval_;
    block_++;
    warpIntervals_.assign(block.warps.size(), 0);
    shared_.resize(block.shared.size());
}

void Checks::synchronizeWarp(const Warp& warp) { warpInterval(warp)++; }

uint64_t& Checks::warpInterval(const Warp& warp) { return warpIntervals_[warp.number]; }

void Checks::shared(const Warp& warp, const Instruction& i, const uint64_t* addresses, LaneMask active, AccessKind kind) {
    for (LaneMask rest = active; rest != 0; rest &= rest - 1) {
        int lane = std::countr_zero(rest);
        for (unsigned n = 0; n < i.bytes; n++) {
            Byte& byte = shared_[addresses[lane] + n];
            if (kind != AccessKind::Write && byte.writtenInBlock != block_)
                warp.fail(i, lane, errorLaunchFailed, std::string(verbOf(kind)) + " shared memory at " + std::to_string(addresses[lane] + n)
                    + ", which nobody wrote in this block");
            if (kind == AccessKind::Write)
                byte.writtenInBlock = block_;
            check({warp, i, lane, kind, false}, byte);
        }
    }
}

void Checks::global(const Warp& warp, const Instruction& i, const uint64_t* addresses, LaneMask active, AccessKind kind) {
    for (LaneMask rest = active; rest != 0; rest &= rest - 1) {
        int lane = std::countr_zero(rest);
        Byte* bytes = globalBytes(addresses[lane]); // an access is aligned to its size: it does not cross a page
        for (unsigned n = 0; n < i.bytes; n++) {
            if (kind == AccessKind::ReadOnly && bytes[n].write.interval != 0)
                warp.fail(i, lane, errorLaunchFailed, "reads, by the way for what a kernel never writes, what this launch wrote");
            check({warp, i, lane, kind, true}, bytes[n]);
        }
    }
}

Checks::Byte* Checks::globalBytes(uint64_t address) {
    uint64_t number = address / pageBytes;
    if (number != lastNumber_) {
        std::unique_ptr<Page>& page = pages_[number];
        if (page == nullptr)
            page = std::make_unique<Page>();
        lastNumber_ = number;
        lastPage_ = page.get();
    }
    return lastPage_->bytes + address % pageBytes;
}

void Checks::check(const Here& here, Byte& byte) {
    bool writes = here.kind == AccessKind::Write, atomic = here.kind == AccessKind::Atomic;
    require(here, byte.write, "writes");
    if (!atomic)
        require(here, byte.atomics, "updates");
    if (writes || atomic)
        require(here, byte.reads, "reads");
    note(here, writes ? byte.write : atomic ? byte.atomics : byte.reads);
}

// Throws unless the earlier access is this thread's own or comes before this one for all to see.
void Checks::require(const Here& here, const Access& before, const char* verb) const {
    if (before.interval == 0 || (!here.inGlobal && before.interval < firstInterval_))
        return;
    const Warp& warp = here.warp;
    auto fail = [&](const std::string& other) {
        warp.fail(here.instruction, here.lane, errorLaunchFailed, std::string(verbOf(here.kind)) + (here.inGlobal ? " global" : " shared")
            + " memory that " + other);
    };
    if (before.otherBlocks || before.interval < firstInterval_)
        fail(std::string("another block ") + verb + ": a race");
    if (before.interval < interval_)
        return; // a barrier of the block lies between
    bool sameWarp = before.warp == warp.number && !before.severalWarps;
    if (sameWarp && ((before.lane == here.lane && !before.severalLanes) || before.warpInterval < warpIntervals_[warp.number]))
        return;
    const Warp& other = warp.block.warps[before.warp];
    fail(std::string("another thread ") + verb + " with no barrier between: a race with "
        + inOneLine(other.where(warp.launch.kernel.instructions[before.instruction], before.lane)));
}

void Checks::note(const Here& here, Access& access) const {
    uint16_t warp = static_cast<uint16_t>(here.warp.number);
    uint8_t lane = static_cast<uint8_t>(here.lane);
    bool again = access.interval == interval_; // others of this interval count, too
    access.otherBlocks |= here.inGlobal && access.interval != 0 && access.interval < firstInterval_;
    access.severalWarps = again && (access.severalWarps || access.warp != warp);
    access.severalLanes = again && access.warp == warp && access.warpInterval == warpIntervals_[warp] && (access.severalLanes || access.lane != lane);
    access.interval = interval_;
    access.warpInterval = warpIntervals_[warp];
    access.instruction = here.instruction.index;
    access.warp = warp;
    access.lane = lane;
}

} // namespace emulator
