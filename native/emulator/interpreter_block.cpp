// One block: its memory, the turns of its warps, and its barriers.
#include "interpreter_control.h"
#include "interpreter_warp.h"

#include <algorithm>
#include <cstring>

namespace emulator {

namespace {

constexpr uint64_t instructionBudget = uint64_t(1) << 30; // warp instructions of a block; more is an endless loop
constexpr int sharedPoison = 0xCD, localPoison = 0xCE;

Dim3 unravel(uint64_t number, Dim3 size) {
    return {uint32_t(number % size.x), uint32_t(number / size.x % size.y), uint32_t(number / size.x / size.y)};
}

} // namespace

Block::Block(LaunchState& state) : launch(state), threads(uint32_t(state.launch.block.count())) {
    const Kernel& kernel = state.kernel;
    size_t warpCount = (threads + warpLanes - 1) / warpLanes;
    shared.resize(kernel.dynamicSharedOffset + state.launch.dynamicShared);
    local.resize(kernel.localBytes * warpCount * warpLanes);
    warps.reserve(warpCount);
    for (size_t n = 0; n < warpCount; n++)
        warps.emplace_back(*this, uint32_t(n));
}

void Block::run(Dim3 at) {
    index = at;
    liveThreads = threads;
    spent_ = 0;
    barriers = {};
    std::memset(shared.data(), sharedPoison, shared.size());
    std::memset(local.data(), localPoison, local.size());
    for (Warp& warp : warps)
        warp.start();
    if (launch.checks != nullptr)
        launch.checks->startBlock(*this);
    while (runTurns()) {
    }
}

// Each warp has its turn once, in an order of chance when shuffled; false: all are done.
bool Block::runTurns() {
    size_t count = warps.size(), first = 0, step = 1, done = 0;
    if (launch.settings.shuffle != 0) {
        first = launch.nextRandom() % count;
        step = launch.nextRandom() % 2 == 0 ? 1 : count - 1;
    }
    uint64_t before = spent_;
    for (size_t n = 0; n < count; n++)
        done += warps[(first + n * step) % count].run() == Warp::Stop::Done;
    if (done < count && spent_ == before)
        failDeadlocked();
    return done < count;
}

void Block::spend(const Warp& warp, const Instruction& first) {
    uint64_t instructions = first.runEnd - first.index;
    spent_ += instructions;
    if (launch.counters != nullptr) {
        launch.counters->warpInstructions += instructions;
        uint64_t lanes = uint64_t(std::popcount(warp.running));
        launch.counters->threadInstructions += instructions * lanes;
        const auto &before = launch.kernel.arithmetic[first.index], &after = launch.kernel.arithmetic[first.runEnd];
        launch.counters->floatFused += (after[0] - before[0]) * lanes;
        launch.counters->floatProducts += (after[1] - before[1]) * lanes;
        launch.counters->floatSums += (after[2] - before[2]) * lanes;
    }
    if (spent_ > instructionBudget)
        warp.fail(first, std::countr_zero(warp.running), errorTimeout,
                  "does not end: its block has run " + std::to_string(spent_) + " warp instructions");
}

Dim3 Block::threadAt(uint32_t warpNumber, int lane) const {
    return unravel(uint64_t(warpNumber) * warpLanes + lane, launch.launch.block);
}

void Block::arrive(Warp& warp, const Instruction& i, uint32_t number, uint32_t expected, LaneMask holds, LaneMask lanes, bool waits) {
    Barrier& barrier = barriers[number];
    if (barrier.arrived != 0 && barrier.expected != expected)
        warp.fail(i, std::countr_zero(lanes), errorLaunchFailed,
                  "arrives at barrier " + std::to_string(number) + " for " + std::to_string(expected) +
                      " threads; others of its block wait there for " + std::to_string(barrier.expected) + " (0: all)");
    barrier.expected = expected;
    barrier.arrived += uint32_t(std::popcount(lanes));
    barrier.holds += uint32_t(std::popcount(holds));
    if (waits)
        warp.waitAtBarrier(i, number);
    releaseIfComplete(number, warp, i);
}

void Block::threadsExited(Warp& warp, const Instruction& i, LaneMask lanes) {
    liveThreads -= uint32_t(std::popcount(lanes));
    for (uint32_t number = 0; number < barriers.size(); number++)
        if (barriers[number].arrived != 0 && barriers[number].expected == 0)
            releaseIfComplete(number, warp, i);
}

void Block::releaseIfComplete(uint32_t number, const Warp& last, const Instruction& i) {
    Barrier barrier = barriers[number];
    if (barrier.arrived < (barrier.expected != 0 ? barrier.expected : liveThreads))
        return;
    if (launch.settings.strict)
        checkStrictly(number, last, i);
    barriers[number] = {};
    if (launch.checks != nullptr)
        launch.checks->passBarrier();
    for (Warp& warp : warps)
        for (Group& group : warp.groups)
            if (group.wait == Group::Wait::Barrier && group.barrier == number)
                finishBarrier(warp, group, barrier);
}

void Block::finishBarrier(Warp& warp, Group& group, const Barrier& barrier) {
    const Instruction& i = launch.kernel.instructions[group.pc];
    BarrierKind kind = barrierKindOf(i);
    if (kind == BarrierKind::CountTrue) {
        auto* result = warp.lanesOf<uint32_t>(i.operands[0]);
        for (int lane = 0; lane < warpLanes; lane++)
            result[lane] = (group.lanes >> lane & 1) != 0 ? barrier.holds : result[lane];
    } else if (kind == BarrierKind::AllTrue || kind == BarrierKind::AnyTrue) {
        bool outcome = kind == BarrierKind::AllTrue ? barrier.holds == barrier.arrived : barrier.holds != 0;
        warp.setPredicate(i.operands[0], outcome ? allLanes : 0, group.lanes);
    }
    group.pc++;
    group.wait = Group::Wait::None;
}

// Every thread of the block must come, and the threads of a warp together.
void Block::checkStrictly(uint32_t number, const Warp& last, const Instruction& i) const {
    bool whole = barriers[number].expected == 0;
    if (whole && liveThreads != threads) {
        for (const Warp& warp : warps)
            for (const Group& group : warp.groups)
                if (group.wait == Group::Wait::Barrier && group.barrier == number)
                    warp.fail(launch.kernel.instructions[group.pc], std::countr_zero(group.lanes), errorLaunchFailed,
                              "passes a barrier that " + std::to_string(threads - liveThreads) + " of the " + std::to_string(threads) +
                                  " threads of its block never reach: they have exited");
    }
    for (const Warp& warp : warps) {
        LaneMask waiting = 0;
        const Group* found = nullptr;
        for (const Group& group : warp.groups)
            if (group.wait == Group::Wait::Barrier && group.barrier == number) {
                if (found != nullptr && found->pc != group.pc)
                    warp.fail(launch.kernel.instructions[group.pc], std::countr_zero(group.lanes), errorLaunchFailed,
                              "waits at a barrier while lane " + std::to_string(std::countr_zero(found->lanes)) +
                                  " of its warp waits at another one: " +
                                  warp.where(launch.kernel.instructions[found->pc], std::countr_zero(found->lanes)));
                found = &group;
                waiting |= group.lanes;
            }
        LaneMask live = warp.existing & ~warp.exited;
        if (found != nullptr && waiting != live)
            last.fail(i, std::countr_zero(found->lanes), errorLaunchFailed, "is at a barrier without all lanes of its warp");
    }
}

void Block::failDeadlocked() const {
    // Tell of the first thread that waits, and of one that waits elsewhere.
    const Warp *first = nullptr, *second = nullptr;
    const Group *firstGroup = nullptr, *secondGroup = nullptr;
    for (const Warp& warp : warps)
        for (const Group& group : warp.groups) {
            if (first == nullptr)
                first = &warp, firstGroup = &group;
            else if (second == nullptr && group.pc != firstGroup->pc)
                second = &warp, secondGroup = &group;
        }
    std::string what =
        firstGroup->wait == Group::Wait::Barrier ? "waits for ever at a barrier" : "waits for ever for other lanes of its warp";
    if (second != nullptr)
        what +=
            "; others wait elsewhere:\n" + second->where(launch.kernel.instructions[secondGroup->pc], std::countr_zero(secondGroup->lanes));
    first->fail(launch.kernel.instructions[firstGroup->pc], std::countr_zero(firstGroup->lanes), errorLaunchFailed, what);
}

} // namespace emulator
