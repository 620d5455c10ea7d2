#include "interpreter_control.h"

#include "interpreter_matrix.h"
#include "interpreter_opcodes.h"

#include <algorithm>

namespace emulator {

void executeBranch(Warp& warp, const Instruction& i, LaneMask active) {
    warp.jump(static_cast<uint32_t>(i.immediate), active);
}

void executeIndexedBranch(Warp& warp, const Instruction& i, LaneMask active) {
    const std::vector<uint32_t>& targets = warp.launch.kernel.branchTables[size_t(i.immediate)];
    const auto* index = warp.lanesOf<uint32_t>(i.operands[0]);
    // One jump for each target that lanes go to.
    for (LaneMask rest = active; rest != 0;) {
        int first = std::countr_zero(rest);
        if (index[first] >= targets.size())
            warp.fail(i, first, errorLaunchFailed,
                      "branches to entry " + std::to_string(index[first]) + " of a table of " + std::to_string(targets.size()));
        LaneMask same = 0;
        for (int lane = 0; lane < warpLanes; lane++)
            same |= index[lane] == index[first] ? LaneMask(1) << lane : 0;
        warp.jump(targets[index[first]], same & rest);
        rest &= ~same;
    }
}

namespace {

// A thread that ends has nothing more to wait for: its copies are done, but their data are for nobody.
void abandonCopies(Warp& warp, const Instruction& i, LaneMask active) {
    if (warp.launch.settings.strict)
        for (const AsyncCopies& copies : warp.copies)
            if (LaneMask left = copies.lanes & active; left != 0)
                warp.fail(i, std::countr_zero(left), errorLaunchFailed, "ends with a cp.async under way that it never waited for: " +
                    warp.where(warp.launch.kernel.instructions[copies.instruction], std::countr_zero(left)));
    executeAwaitAllCopies(warp, i, active);
}

} // namespace

void executeExit(Warp& warp, const Instruction& i, LaneMask active) {
    if (active != 0) {
        if (!warp.copies.empty())
            abandonCopies(warp, i, active);
        warp.exit(active);
        warp.block.threadsExited(warp, i, active);
    }
}

void executeTrap(Warp& warp, const Instruction& i, LaneMask active) {
    if (active != 0)
        warp.fail(i, std::countr_zero(active), errorLaunchFailed, "reaches a trap");
}

namespace {

template <BarrierKind kind> void executeBarrier(Warp& warp, const Instruction& i, LaneMask active) {
    if (active == 0)
        return;
    int lane = std::countr_zero(active);
    uint32_t number = warp.lanesOf<uint32_t>(i.operands[1])[lane], expected = warp.lanesOf<uint32_t>(i.operands[2])[lane];
    if (number >= 16)
        warp.fail(i, lane, errorLaunchFailed, "uses barrier " + std::to_string(number) + "; there are 16");
    LaneMask holds = warp.predicate(i.operands[3]) & active;
    if (active != warp.running)
        warp.split(i, active); // lanes that the guard keeps out go on
    warp.block.arrive(warp, i, number, expected, holds, active, kind != BarrierKind::Arrive);
}

} // namespace

Execute barrier(BarrierKind kind) {
    switch (kind) {
    case BarrierKind::Sync: return executeBarrier<BarrierKind::Sync>;
    case BarrierKind::Arrive: return executeBarrier<BarrierKind::Arrive>;
    case BarrierKind::CountTrue: return executeBarrier<BarrierKind::CountTrue>;
    case BarrierKind::AllTrue: return executeBarrier<BarrierKind::AllTrue>;
    default: return executeBarrier<BarrierKind::AnyTrue>;
    }
}

BarrierKind barrierKindOf(const Instruction& i) {
    for (BarrierKind kind : {BarrierKind::Arrive, BarrierKind::CountTrue, BarrierKind::AllTrue, BarrierKind::AnyTrue})
        if (i.execute == barrier(kind))
            return kind;
    return BarrierKind::Sync;
}

void executeFence(Warp& warp, const Instruction&, LaneMask active) {
    if (warp.launch.checks != nullptr && active != 0)
        warp.launch.checks->fence();
}

// Operand: the members.
void executeWarpSync(Warp& warp, const Instruction& i, LaneMask active) {
    if (active == 0)
        return;
    LaneMask members = warp.lanesOf<uint32_t>(i.operands[0])[std::countr_zero(active)];
    if (warp.gather(i, members, active) && warp.launch.checks != nullptr)
        warp.launch.checks->synchronize(warp, members);
}

namespace {

// The value that an undefined read gives: the same poison as fresh shared memory.
constexpr uint32_t undefinedValue = 0xCDCDCDCD;

template <ShuffleKind kind> void executeShuffle(Warp& warp, const Instruction& i, LaneMask active) {
    if (active == 0)
        return;
    LaneMask members = warp.lanesOf<uint32_t>(i.operands[5])[std::countr_zero(active)];
    if (!warp.gather(i, members, active))
        return;
    if (warp.launch.checks != nullptr)
        warp.launch.checks->synchronize(warp, members);

    auto* result = warp.lanesOf<uint32_t>(i.operands[0]);
    const auto *value = warp.lanesOf<uint32_t>(i.operands[2]), *b = warp.lanesOf<uint32_t>(i.operands[3]),
               *c = warp.lanesOf<uint32_t>(i.operands[4]);
    alignas(64) uint32_t values[warpLanes], sources[warpLanes]; // a copy: the result may be the value's register
    std::copy_n(value, warpLanes, values);
    LaneMask inside = 0; // lanes whose source lies in their segment
    for (int lane = 0; lane < warpLanes; lane++) {
        int by = int(b[lane] & 31), clamp = int(c[lane] & 31), segment = int(c[lane] >> 8 & 31);
        int least = lane & segment, most = least | (clamp & ~segment);
        int source;
        if constexpr (kind == ShuffleKind::Up)
            source = lane - by;
        else if constexpr (kind == ShuffleKind::Down)
            source = lane + by;
        else if constexpr (kind == ShuffleKind::Butterfly)
            source = lane ^ by;
        else
            source = least | (by & ~segment);
        bool within = kind == ShuffleKind::Up ? source >= most : source <= most;
        inside |= within ? LaneMask(1) << lane : 0;
        sources[lane] = within ? uint32_t(source) : uint32_t(lane);
    }
    LaneMask undefined = 0;
    for (int lane = 0; lane < warpLanes; lane++)
        undefined |= (active >> (sources[lane] & 31) & 1) == 0 ? LaneMask(1) << lane : 0;
    undefined &= active;
    if (undefined != 0 && warp.launch.settings.strict) {
        int lane = std::countr_zero(undefined);
        warp.fail(i, lane, errorLaunchFailed, "reads lane " + std::to_string(sources[lane]) + ", which does not take part in the shuffle");
    }
    for (int lane = 0; lane < warpLanes; lane++) {
        uint32_t read = (undefined >> lane & 1) != 0 ? undefinedValue : values[sources[lane] & 31];
        result[lane] = (active >> lane & 1) != 0 ? read : result[lane];
    }
    warp.setPredicate(i.operands[1], inside, active);
}

template <VoteKind kind> void executeVote(Warp& warp, const Instruction& i, LaneMask active) {
    if (active == 0)
        return;
    LaneMask members = warp.lanesOf<uint32_t>(i.operands[2])[std::countr_zero(active)];
    if (!warp.gather(i, members, active))
        return;
    if (warp.launch.checks != nullptr)
        warp.launch.checks->synchronize(warp, members);

    LaneMask voters = members & active, yes = warp.predicate(i.operands[1]) & voters;
    if constexpr (kind == VoteKind::Ballot) {
        auto* result = warp.lanesOf<uint32_t>(i.operands[0]);
        for (int lane = 0; lane < warpLanes; lane++)
            result[lane] = (active >> lane & 1) != 0 ? yes : result[lane];
    } else {
        bool outcome = kind == VoteKind::All ? yes == voters : kind == VoteKind::Any ? yes != 0 : yes == 0 || yes == voters;
        warp.setPredicate(i.operands[0], outcome ? allLanes : 0, active);
    }
}

template <bool all, class T> void executeMatch(Warp& warp, const Instruction& i, LaneMask active) {
    if (active == 0)
        return;
    LaneMask members = warp.lanesOf<uint32_t>(i.operands[3])[std::countr_zero(active)];
    if (!warp.gather(i, members, active))
        return;
    if (warp.launch.checks != nullptr)
        warp.launch.checks->synchronize(warp, members);

    alignas(64) T values[warpLanes];
    std::copy_n(warp.lanesOf<T>(i.operands[2]), warpLanes, values);
    auto* result = warp.lanesOf<uint32_t>(i.operands[0]);
    LaneMask present = members & active;
    for (LaneMask rest = active; rest != 0;) {
        int first = std::countr_zero(rest);
        LaneMask same = 0;
        for (int lane = 0; lane < warpLanes; lane++)
            same |= values[lane] == values[first] ? LaneMask(1) << lane : 0;
        same &= present;
        if constexpr (all)
            warp.setPredicate(i.operands[1], same == present ? allLanes : 0, active);
        for (LaneMask group = same & rest; group != 0; group &= group - 1)
            result[std::countr_zero(group)] = all ? (same == present ? same : 0) : same;
        rest &= ~same & ~(LaneMask(1) << first);
    }
}

} // namespace

Execute shuffle(ShuffleKind kind) {
    switch (kind) {
    case ShuffleKind::Up: return executeShuffle<ShuffleKind::Up>;
    case ShuffleKind::Down: return executeShuffle<ShuffleKind::Down>;
    case ShuffleKind::Butterfly: return executeShuffle<ShuffleKind::Butterfly>;
    default: return executeShuffle<ShuffleKind::Index>;
    }
}

Execute vote(VoteKind kind) {
    switch (kind) {
    case VoteKind::All: return executeVote<VoteKind::All>;
    case VoteKind::Any: return executeVote<VoteKind::Any>;
    case VoteKind::Uniform: return executeVote<VoteKind::Uniform>;
    default: return executeVote<VoteKind::Ballot>;
    }
}

Execute match(bool all, bool wide) {
    if (all)
        return wide ? executeMatch<true, uint64_t> : executeMatch<true, uint32_t>;
    return wide ? executeMatch<false, uint64_t> : executeMatch<false, uint32_t>;
}

void executeActiveMask(Warp& warp, const Instruction& i, LaneMask active) {
    auto* result = warp.lanesOf<uint32_t>(i.operands[0]);
    for (int lane = 0; lane < warpLanes; lane++)
        result[lane] = (active >> lane & 1) != 0 ? active : result[lane];
}

} // namespace emulator
