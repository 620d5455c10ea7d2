// cp.async: copies from global to shared memory that a thread begins, commits in groups, and waits for. A card does them at any time until
// the wait; here they are done at the wait, so that what needs no luck on a card is what works here. Until then shared memory holds what
// was there, and under `race` whoever touches it is found out.
#include "interpreter_matrix.h"
#include "interpreter_memory.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace emulator {

namespace {

LaneMask lanesWhere(LaneMask among, auto holds) {
    LaneMask result = 0;
    for (LaneMask rest = among; rest != 0; rest &= rest - 1)
        if (int lane = std::countr_zero(rest); holds(lane))
            result |= LaneMask(1) << lane;
    return result;
}

// The reads of the source, by lanes that read the same number of bytes. A part of a copy is read in pieces that divide it.
void resolveSources(Warp& warp, const Instruction& i, const AsyncCopies& copies) {
    if (LaneMask wrong = lanesWhere(copies.lanes, [&](int lane) { return copies.sources[lane] % i.bytes != 0; }); wrong != 0) {
        int lane = std::countr_zero(wrong);
        warp.fail(i, lane, errorMisalignedAddress, "copies " + std::to_string(i.bytes) + " bytes from "
            + hexadecimal(copies.sources[lane]) + ", which is not a multiple of " + std::to_string(i.bytes));
    }
    LaneMask rest = lanesWhere(copies.lanes, [&](int lane) { return copies.sourceBytes[lane] != 0; });
    while (rest != 0) {
        unsigned bytes = copies.sourceBytes[std::countr_zero(rest)], piece = bytes & (0 - bytes);
        LaneMask same = lanesWhere(rest, [&](int lane) { return copies.sourceBytes[lane] == bytes; });
        Instruction read = i;
        read.bytes = uint8_t(piece);
        for (unsigned from = 0; from < bytes; from += piece) {
            alignas(64) uint64_t addresses[warpLanes];
            for (int lane = 0; lane < warpLanes; lane++)
                addresses[lane] = copies.sources[lane] + from;
            warp.resolve(read, addresses, same, AccessKind::Read);
        }
        rest &= ~same;
    }
}

template <bool wideTarget> void executeAsyncCopy(Warp& warp, const Instruction& i, LaneMask active) {
    if (active == 0)
        return;
    alignas(64) uint64_t targets[warpLanes];
    Instruction write = i;
    write.space = Space::Shared;
    write.immediate = int32_t(i.immediate);
    addressesOf(warp, write, i.operands[0], wideTarget, targets);

    AsyncCopies& copies = warp.copies.emplace_back();
    copies.instruction = i.index;
    copies.lanes = active;
    const auto* sources = warp.lanesOf<uint64_t>(i.operands[1]);
    const auto* wanted = warp.lanesOf<uint32_t>(i.operands[2]);
    LaneMask zeros = warp.predicate(i.operands[3]);
    for (int lane = 0; lane < warpLanes; lane++) {
        copies.targets[lane] = uint32_t(targets[lane]);
        copies.sources[lane] = sources[lane] + uint64_t(i.immediate >> 32);
        copies.sourceBytes[lane] = (zeros >> lane & 1) != 0 ? 0 : uint8_t(std::min<uint32_t>(wanted[lane], 255));
        copies.groups[lane] = warp.committed[lane];
    }
    if (LaneMask wrong = lanesWhere(active, [&](int lane) { return copies.sourceBytes[lane] > i.bytes; }); wrong != 0)
        warp.fail(i, std::countr_zero(wrong), errorLaunchFailed, "copies " + std::to_string(wanted[std::countr_zero(wrong)]) +
            " bytes into " + std::to_string(i.bytes));

    // Checked and counted now, the target first: what touches it before the wait is checked against this.
    LaneMask lanes = std::exchange(copies.lanes, 0);
    warp.resolve(write, targets, lanes, AccessKind::AsyncWrite);
    copies.lanes = lanes;
    resolveSources(warp, i, copies);
    if (warp.launch.counters != nullptr)
        warp.launch.counters->asyncBytes += uint64_t(i.bytes) * std::popcount(active);
    if (warp.launch.checks != nullptr)
        for (LaneMask rest = active; rest != 0; rest &= rest - 1)
            if (int lane = std::countr_zero(rest); copies.sourceBytes[lane] != 0)
                std::memcpy(copies.before[lane].data(), reinterpret_cast<const void*>(copies.sources[lane]), copies.sourceBytes[lane]);
}

} // namespace

void Warp::finishCopies(const Instruction& i, LaneMask lanes, uint32_t leave) {
    if (copies.empty())
        return;
    for (AsyncCopies& copy : copies) {
        const Instruction& begun = launch.kernel.instructions[copy.instruction];
        for (LaneMask rest = copy.lanes & lanes; rest != 0; rest &= rest - 1) {
            int lane = std::countr_zero(rest);
            if (copy.groups[lane] + leave >= committed[lane])
                continue;
            const auto* source = reinterpret_cast<const std::byte*>(copy.sources[lane]);
            std::byte* target = block.shared.data() + copy.targets[lane];
            unsigned bytes = copy.sourceBytes[lane];
            if (launch.checks != nullptr && bytes != 0 && std::memcmp(copy.before[lane].data(), source, bytes) != 0)
                fail(i, lane, errorLaunchFailed, "waits for a cp.async whose source was written to while the copy was under way: " +
                    where(begun, lane));
            if (bytes == 16) {
                std::memcpy(target, source, 16);
            } else {
                std::memcpy(target, source, bytes);
                std::memset(target + bytes, 0, begun.bytes - bytes);
            }
            copy.lanes &= ~(LaneMask(1) << lane);
            if (launch.checks != nullptr)
                launch.checks->finishCopy(*this, begun, copy.targets[lane], lane);
        }
    }
    std::erase_if(copies, [](const AsyncCopies& copy) { return copy.lanes == 0; });
}

Execute asyncCopy(bool wideTarget) {
    return wideTarget ? executeAsyncCopy<true> : executeAsyncCopy<false>;
}

void executeCommitCopies(Warp& warp, const Instruction&, LaneMask active) {
    for (int lane = 0; lane < warpLanes; lane++)
        warp.committed[lane] += active >> lane & 1;
}

void executeAwaitCopies(Warp& warp, const Instruction& i, LaneMask active) {
    warp.finishCopies(i, active, uint32_t(i.immediate));
}

void executeAwaitAllCopies(Warp& warp, const Instruction& i, LaneMask active) {
    executeCommitCopies(warp, i, active);
    warp.finishCopies(i, active, 0);
}

} // namespace emulator
