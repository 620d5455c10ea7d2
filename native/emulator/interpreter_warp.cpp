// One warp: its registers, and which of its lanes run. Lanes that took different ways are groups; the group at the lowest place of the
// program runs first, so that the ways of an `if` or a loop meet again where they join.
#include "interpreter_warp.h"

#include <algorithm>
#include <cstring>

namespace emulator {

namespace {

template <class T> void fill(std::byte* registers, uint32_t place, T value) {
    std::fill_n(reinterpret_cast<T*>(registers + place), warpLanes, value);
}

} // namespace

Warp::Warp(Block& owner, uint32_t warpNumber) : block(owner), launch(owner.launch), number(warpNumber) {
    const Kernel& kernel = launch.kernel;
    constexpr size_t alignment = 64;
    file_ = std::make_unique<std::byte[]>(kernel.registerBytes + alignment);
    auto start = reinterpret_cast<uintptr_t>(file_.get());
    registers = file_.get() + (alignment - start % alignment) % alignment;
    predicates.resize(kernel.predicates);
    predicates[0] = allLanes;
    uint32_t count = std::min<uint32_t>(warpLanes, block.threads - number * warpLanes);
    existing = count == warpLanes ? allLanes : (LaneMask(1) << count) - 1;

    for (const Constant& constant : kernel.constants)
        if (constant.wide)
            fill<uint64_t>(registers, constant.place, constant.bits);
        else
            fill<uint32_t>(registers, constant.place, uint32_t(constant.bits));
    for (const SpecialRegister& special : kernel.specialRegisters)
        fillSpecial(special);
}

void Warp::start() {
    exited = 0;
    pc = 0;
    running = existing;
    groups.clear();
    copies.clear();
    committed = {};
    for (const SpecialRegister& special : launch.kernel.specialRegisters)
        if (special.kind >= SpecialRegister::Kind::BlockX && special.kind <= SpecialRegister::Kind::BlockZ)
            fillSpecial(special);
}

void Warp::fillSpecial(const SpecialRegister& special) {
    using Kind = SpecialRegister::Kind;
    const Launch& l = launch.launch;
    auto* values = lanesOf<uint32_t>(special.place);
    auto each = [&](auto value) {
        for (int lane = 0; lane < warpLanes; lane++)
            values[lane] = static_cast<uint32_t>(value(lane));
    };
    auto all = [&](size_t value) { each([&](int) { return value; }); };
    switch (special.kind) {
    case Kind::ThreadX: each([&](int lane) { return block.threadAt(number, lane).x; }); break;
    case Kind::ThreadY: each([&](int lane) { return block.threadAt(number, lane).y; }); break;
    case Kind::ThreadZ: each([&](int lane) { return block.threadAt(number, lane).z; }); break;
    case Kind::BlockSizeX: all(l.block.x); break;
    case Kind::BlockSizeY: all(l.block.y); break;
    case Kind::BlockSizeZ: all(l.block.z); break;
    case Kind::BlockX: all(block.index.x); break;
    case Kind::BlockY: all(block.index.y); break;
    case Kind::BlockZ: all(block.index.z); break;
    case Kind::GridX: all(l.grid.x); break;
    case Kind::GridY: all(l.grid.y); break;
    case Kind::GridZ: all(l.grid.z); break;
    case Kind::Lane: each([](int lane) { return lane; }); break;
    case Kind::Warp: all(number); break;
    case Kind::WarpCount: all((block.threads + warpLanes - 1) / warpLanes); break;
    case Kind::LanesEqual: each([](int lane) { return 1u << lane; }); break;
    case Kind::LanesBelow: each([](int lane) { return (1u << lane) - 1; }); break;
    case Kind::LanesUpTo: each([](int lane) { return (2u << lane) - 1; }); break;
    case Kind::LanesAbove: each([](int lane) { return ~((2u << lane) - 1); }); break;
    case Kind::LanesFrom: each([](int lane) { return ~((1u << lane) - 1); }); break;
    case Kind::DynamicSharedBytes: all(l.dynamicShared); break;
    case Kind::TotalSharedBytes: all(block.shared.size()); break;
    }
}

Warp::Stop Warp::run() {
    return launch.settings.shuffle != 0 ? runGroups<true>() : runGroups<false>();
}

template <bool shuffled> Warp::Stop Warp::runGroups() {
    const Instruction* code = launch.kernel.instructions.data();
    for (;;) {
        if ((running == 0 || behindOthers()) && !pickGroup())
            return groups.empty() ? Stop::Done : Stop::Waits;

        const Instruction *i = code + pc, *end = code + i->runEnd;
        block.spend(*this, *i);
        pc = i->runEnd; // a jump at the end of the run sets it
        for (; i != end; i++) {
            i->execute(*this, *i, running & (predicates[i->guard] ^ i->guardFlip));
            if constexpr (shuffled)
                if (i->touchesMemory && --yieldIn_ == 0) {
                    yieldIn_ = launch.nextRandom() % 64 + 1;
                    if (!i->endsRun)
                        pc = i->index + 1;
                    return Stop::Yields;
                }
        }
    }
}

bool Warp::behindOthers() const {
    for (const Group& group : groups)
        if (group.wait == Group::Wait::None && group.pc <= pc)
            return true;
    return false;
}

// Makes the group at the lowest place the running one; false: all wait, or there are none.
bool Warp::pickGroup() {
    if (running != 0)
        park({pc, running});
    running = 0;
    auto lowest = groups.end();
    for (auto group = groups.begin(); group != groups.end(); group++)
        if (group->wait == Group::Wait::None && (lowest == groups.end() || group->pc < lowest->pc))
            lowest = group;
    if (lowest == groups.end())
        return false;
    pc = lowest->pc;
    running = lowest->lanes;
    groups.erase(lowest);
    // Others may have been set free at the same place.
    std::erase_if(groups, [&](const Group& other) {
        bool joins = other.pc == pc && other.wait != Group::Wait::Barrier;
        running |= joins ? other.lanes : 0;
        return joins;
    });
    return true;
}

// Groups at the same place become one; one that waits for lanes tries again when lanes join it.
void Warp::park(Group group) {
    for (Group& other : groups)
        if (other.pc == group.pc && (other.wait == Group::Wait::Barrier) == (group.wait == Group::Wait::Barrier)) {
            other.lanes |= group.lanes;
            if (other.wait == Group::Wait::Lanes)
                other.wait = Group::Wait::None;
            return;
        }
    groups.push_back(group);
}

void Warp::jump(uint32_t target, LaneMask taken) {
    if (taken == running) {
        pc = target;
    } else if (taken != 0) {
        if (launch.counters != nullptr)
            launch.counters->divergentBranches++;
        park({target, taken});
        running &= ~taken;
    }
}

void Warp::exit(LaneMask leaving) {
    exited |= leaving;
    running &= ~leaving;
    for (Group& group : groups) // who waits for lanes need not wait for these
        if (group.wait == Group::Wait::Lanes)
            group.wait = Group::Wait::None;
}

void Warp::split(const Instruction& i, LaneMask stay) {
    if (running != stay) {
        park({i.index + 1, running & ~stay});
        running = stay;
    }
}

void Warp::waitAtBarrier(const Instruction& i, uint32_t barrier) {
    park({i.index, running, Group::Wait::Barrier, barrier});
    running = 0;
}

bool Warp::gather(const Instruction& i, LaneMask members, LaneMask active) {
    bool strict = launch.settings.strict;
    if (LaneMask strangers = active & ~members; strict && strangers != 0)
        fail(i, std::countr_zero(strangers), errorLaunchFailed,
             "is not in the mask " + std::to_string(members) + " of the warp operation that it carries out");
    LaneMask missing = members & existing & ~exited & ~active;
    if (LaneMask passing = missing & running; strict && passing != 0)
        fail(i, std::countr_zero(passing), errorLaunchFailed, "is in the mask of a warp operation that its predicate keeps it from");
    missing &= ~running;
    if (missing == 0)
        return true;
    split(i, active);
    park({i.index, running, Group::Wait::Lanes});
    running = 0;
    return false;
}

bool Warp::gatherAll(const Instruction& i, LaneMask active) {
    if (active == 0 || active == allLanes)
        return active != 0;
    if (!gather(i, allLanes, active))
        return false;
    int missing = std::countr_zero(~active);
    const char* why = (existing >> missing & 1) == 0 ? "is no thread of the block" : (exited >> missing & 1) != 0 ? "has exited"
                                                                                         : "is kept from it by its predicate";
    fail(i, std::countr_zero(active), errorLaunchFailed,
         "carries out an operation of the whole warp (.sync.aligned) that only " + std::to_string(std::popcount(active)) +
             " of its 32 lanes reach: lane " + std::to_string(missing) + " " + why);
}

std::string Warp::where(const Instruction& i, int lane) const {
    return where(i, block.index, number, lane);
}

std::string Warp::where(const Instruction& i, Dim3 blockIndex, uint32_t warpNumber, int lane) const {
    const Kernel& kernel = launch.kernel;
    const Statement& statement = kernel.statements[i.index];
    auto triple = [](Dim3 d) { return "(" + std::to_string(d.x) + ", " + std::to_string(d.y) + ", " + std::to_string(d.z) + ")"; };
    std::string result = "kernel " + kernel.name + ", block " + triple(blockIndex) + ", thread " + triple(block.threadAt(warpNumber, lane));
    std::string line = statement.ptxLine < kernel.module->lines.size() ? kernel.module->lines[statement.ptxLine] : "";
    line.erase(0, line.find_first_not_of(" \t"));
    std::replace(line.begin(), line.end(), '\t', ' ');
    result += "\n  PTX line " + std::to_string(statement.ptxLine) + ": " + line;
    if (statement.sourceFile != 0 && statement.sourceFile < kernel.module->files.size())
        result += "\n  source: " + kernel.module->files[statement.sourceFile] + ":" + std::to_string(statement.sourceLine);
    return result;
}

void Warp::fail(const Instruction& i, int lane, int error, const std::string& what) const {
    std::string place = where(i, lane);
    size_t firstLine = place.find('\n');
    throw Fault{{error, place.substr(0, firstLine) + ": " + what + place.substr(firstLine)}};
}

} // namespace emulator
