// Loads and stores, and the addresses of all kinds of memory.
#include "interpreter_memory.h"

#include "interpreter_opcodes.h"

#include <algorithm>
#include <cstdio>

namespace emulator {

namespace {

// Lanes whose address is not in [first, first + bytes), or not a multiple of the size of the access.
LaneMask outsideOf(const uint64_t* addresses, uint64_t first, uint64_t bytes, uint64_t size) {
    if (bytes < size)
        return allLanes;
    uint64_t last = bytes - size;
    LaneMask outside = 0;
    for (int lane = 0; lane < warpLanes; lane++)
        outside |= ((addresses[lane] - first > last) | ((addresses[lane] & (size - 1)) != 0)) ? LaneMask(1) << lane : 0;
    return outside;
}

const char* verb(AccessKind kind) {
    return kind == AccessKind::Write || kind == AccessKind::AsyncWrite ? "writes" : kind == AccessKind::Atomic ? "updates" : "reads";
}

[[noreturn]] void failMisaligned(const Warp& warp, const Instruction& i, int lane, uint64_t address, AccessKind kind) {
    warp.fail(i, lane, errorMisalignedAddress, std::string(verb(kind)) + " " + std::to_string(i.bytes) + " bytes at " + hexadecimal(address)
        + ", which is not a multiple of " + std::to_string(i.bytes));
}

void resolveGlobal(Warp& warp, const Instruction& i, const uint64_t* addresses, LaneMask active, AccessKind kind) {
    LaunchState& launch = warp.launch;
    const Allocation*& last = launch.allocations[i.index];
    LaneMask rest = last == nullptr ? active : active & outsideOf(addresses, last->address, last->bytes, i.bytes);
    while (rest != 0) {
        int lane = std::countr_zero(rest);
        uint64_t address = addresses[lane];
        if (address % i.bytes != 0)
            failMisaligned(warp, i, lane, address, kind);
        const Allocation* found = launch.find(address);
        if (found == nullptr || !found->contains(address, i.bytes))
            warp.fail(i, lane, errorIllegalAddress,
                      std::string(verb(kind)) + " " + std::to_string(i.bytes) + " bytes at " + hexadecimal(address) + ": " +
                          launch.memory.describe(address));
        last = found;
        rest &= outsideOf(addresses, last->address, last->bytes, i.bytes);
    }
    if (i.space == Space::Constant)
        return;
    if (launch.checks != nullptr)
        launch.checks->global(warp, i, addresses, active, kind);
    if (launch.traffic != nullptr)
        launch.traffic->global(warp, i, addresses, active, kind);
}

// In: offsets in the block's shared memory. Out: host addresses.
void resolveShared(Warp& warp, const Instruction& i, uint64_t* addresses, LaneMask active, AccessKind kind) {
    std::vector<std::byte>& shared = warp.block.shared;
    if (LaneMask outside = active & outsideOf(addresses, 0, shared.size(), i.bytes); outside != 0) {
        int lane = std::countr_zero(outside);
        if (addresses[lane] % i.bytes != 0)
            failMisaligned(warp, i, lane, addresses[lane], kind);
        warp.fail(i, lane, errorIllegalAddress,
                  std::string(verb(kind)) + " " + std::to_string(i.bytes) + " bytes at " + std::to_string(int64_t(addresses[lane])) +
                      " in shared memory; the block has " + std::to_string(shared.size()) + " bytes");
    }
    if (warp.launch.checks != nullptr)
        warp.launch.checks->shared(warp, i, addresses, active, kind);
    if (warp.launch.traffic != nullptr)
        warp.launch.traffic->shared(warp, i, addresses, active);
    uint64_t base = reinterpret_cast<uint64_t>(shared.data());
    for (int lane = 0; lane < warpLanes; lane++)
        addresses[lane] += (active >> lane & 1) != 0 ? base : 0;
}

// In: offsets in the thread's local memory. Out: host addresses.
void resolveLocal(Warp& warp, const Instruction& i, uint64_t* addresses, LaneMask active, AccessKind kind) {
    size_t bytes = warp.launch.kernel.localBytes;
    if (LaneMask outside = active & outsideOf(addresses, 0, bytes, i.bytes); outside != 0) {
        int lane = std::countr_zero(outside);
        if (addresses[lane] % i.bytes != 0)
            failMisaligned(warp, i, lane, addresses[lane], kind);
        warp.fail(i, lane, errorIllegalAddress,
                  std::string(verb(kind)) + " " + std::to_string(i.bytes) + " bytes at " + std::to_string(int64_t(addresses[lane])) +
                      " in local memory; a thread has " + std::to_string(bytes) + " bytes");
    }
    if (warp.launch.counters != nullptr)
        warp.launch.counters->localBytes += uint64_t(i.bytes) * std::popcount(active);
    uint64_t base = reinterpret_cast<uint64_t>(warp.block.localOf(warp, 0));
    for (int lane = 0; lane < warpLanes; lane++)
        addresses[lane] += (active >> lane & 1) != 0 ? base + bytes * lane : 0;
}

void resolveParameter(Warp& warp, const Instruction& i, uint64_t* addresses, LaneMask active) {
    const std::vector<std::byte>& parameters = warp.launch.launch.parameters;
    if (LaneMask outside = active & outsideOf(addresses, 0, parameters.size(), i.bytes); outside != 0)
        warp.fail(i, std::countr_zero(outside), errorIllegalAddress,
                  "reads " + std::to_string(i.bytes) + " bytes at " + std::to_string(addresses[std::countr_zero(outside)]) +
                      " of the parameters, which have " + std::to_string(parameters.size()) + " bytes");
    for (int lane = 0; lane < warpLanes; lane++)
        addresses[lane] += reinterpret_cast<uint64_t>(parameters.data());
}

} // namespace

std::string hexadecimal(uint64_t value) {
    char text[32];
    std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(value));
    return text;
}

void Warp::resolve(const Instruction& i, uint64_t* addresses, LaneMask active, AccessKind kind) {
    switch (i.space) {
    case Space::Global:
    case Space::Constant:
        return resolveGlobal(*this, i, addresses, active, kind);
    case Space::Shared:
        return resolveShared(*this, i, addresses, active, kind);
    case Space::Local:
        return resolveLocal(*this, i, addresses, active, kind);
    case Space::Parameter:
        return resolveParameter(*this, i, addresses, active);
    case Space::Generic:
        break;
    }
    LaneMask inShared = 0, inLocal = 0;
    for (int lane = 0; lane < warpLanes; lane++) {
        uint64_t window = addresses[lane] & windowMask;
        inShared |= window == sharedWindow ? LaneMask(1) << lane : 0;
        inLocal |= window == localWindow ? LaneMask(1) << lane : 0;
    }
    LaneMask windowed = (inShared | inLocal) & active;
    for (LaneMask rest = windowed; rest != 0; rest &= rest - 1)
        addresses[std::countr_zero(rest)] &= ~windowMask;
    if ((inShared & active) != 0)
        resolveShared(*this, i, addresses, inShared & active, kind);
    if ((inLocal & active) != 0)
        resolveLocal(*this, i, addresses, inLocal & active, kind);
    if ((active & ~windowed) != 0)
        resolveGlobal(*this, i, addresses, active & ~windowed, kind);
}

void addressesOf(Warp& warp, const Instruction& i, uint32_t place, bool wide, uint64_t* addresses) {
    uint64_t offset = static_cast<uint64_t>(i.immediate);
    if (wide) {
        const auto* base = warp.lanesOf<uint64_t>(place);
        for (int lane = 0; lane < warpLanes; lane++)
            addresses[lane] = base[lane] + offset;
    } else {
        const auto* base = warp.lanesOf<uint32_t>(place);
        for (int lane = 0; lane < warpLanes; lane++)
            addresses[lane] = uint32_t(base[lane] + uint32_t(offset)); // addresses of 32 bits wrap in 32 bits
    }
}

uint64_t Warp::resolvePiece(const Instruction& i, uint64_t first, uint64_t bytes) {
    if (launch.checks != nullptr || launch.counters != nullptr || first % i.bytes != 0)
        return 0;
    if (i.space == Space::Shared)
        return first <= block.shared.size() && bytes <= block.shared.size() - first
                   ? reinterpret_cast<uint64_t>(block.shared.data()) + first
                   : 0;
    if (i.space == Space::Global) {
        const Allocation* last = launch.allocations[i.index];
        return last != nullptr && last->contains(first, bytes) ? first : 0;
    }
    return 0;
}

namespace {

bool inSteps(const uint64_t* addresses, uint64_t step) {
    uint64_t difference = 0;
    for (int lane = 0; lane < warpLanes; lane++)
        difference |= addresses[lane] ^ (addresses[0] + lane * step);
    return difference == 0;
}

enum class Pattern : uint8_t { Any, OneAddress, Row }; // Row: the accesses of all lanes follow each other

// The common patterns are checked and done as one access; `base` becomes its host address.
Pattern patternOf(Warp& warp, const Instruction& i, const uint64_t* addresses, LaneMask active, uint64_t& base) {
    uint64_t step = addresses[1] - addresses[0];
    if (active != allLanes || (step != 0 && step != i.bytes) || !inSteps(addresses, step))
        return Pattern::Any;
    base = warp.resolvePiece(i, addresses[0], step == 0 ? i.bytes : uint64_t(i.bytes) * warpLanes);
    return base == 0 ? Pattern::Any : step == 0 ? Pattern::OneAddress : Pattern::Row;
}

// Operands: the values, then the address.
template <class T, class Register, int count, bool wideAddress, AccessKind kind>
void load(Warp& warp, const Instruction& i, LaneMask active) {
    alignas(64) uint64_t addresses[warpLanes];
    if (active == 0)
        return;
    addressesOf(warp, i, i.operands[count], wideAddress, addresses);
    Register* results[count];
    for (int n = 0; n < count; n++)
        results[n] = warp.lanesOf<Register>(i.operands[n]);

    uint64_t base = 0;
    Pattern pattern = patternOf(warp, i, addresses, active, base);
    const auto* from = reinterpret_cast<const T*>(base);
    if (pattern == Pattern::Row) {
        for (int n = 0; n < count; n++) {
            Register* result = results[n];
            EMULATOR_INDEPENDENT_LANES
            for (int lane = 0; lane < warpLanes; lane++)
                result[lane] = static_cast<Register>(from[lane * count + n]);
        }
        return;
    }
    if (pattern == Pattern::OneAddress) {
        for (int n = 0; n < count; n++)
            std::fill_n(results[n], warpLanes, static_cast<Register>(from[n]));
        return;
    }
    warp.resolve(i, addresses, active, kind);
    for (LaneMask rest = active; rest != 0; rest &= rest - 1) {
        int lane = std::countr_zero(rest);
        from = reinterpret_cast<const T*>(addresses[lane]);
        for (int n = 0; n < count; n++)
            results[n][lane] = static_cast<Register>(from[n]);
    }
}

// Operands: the values, then the address.
template <class T, class Register, int count, bool wideAddress> void store(Warp& warp, const Instruction& i, LaneMask active) {
    alignas(64) uint64_t addresses[warpLanes];
    if (active == 0)
        return;
    addressesOf(warp, i, i.operands[count], wideAddress, addresses);
    const Register* values[count];
    for (int n = 0; n < count; n++)
        values[n] = warp.lanesOf<Register>(i.operands[n]);

    uint64_t base = 0;
    if (patternOf(warp, i, addresses, active, base) == Pattern::Row) {
        auto* to = reinterpret_cast<T*>(base);
        for (int n = 0; n < count; n++) {
            const Register* value = values[n];
            EMULATOR_INDEPENDENT_LANES
            for (int lane = 0; lane < warpLanes; lane++)
                to[lane * count + n] = static_cast<T>(value[lane]);
        }
        return;
    }
    warp.resolve(i, addresses, active, AccessKind::Write);
    for (LaneMask rest = active; rest != 0; rest &= rest - 1) {
        int lane = std::countr_zero(rest);
        auto* to = reinterpret_cast<T*>(addresses[lane]);
        for (int n = 0; n < count; n++)
            to[n] = static_cast<T>(values[n][lane]);
    }
    if (warp.launch.checks == nullptr)
        return;
    for (LaneMask rest = active; rest != 0; rest &= rest - 1) {
        int lane = std::countr_zero(rest);
        for (int n = 0; n < count; n++)
            if (reinterpret_cast<const T*>(addresses[lane])[n] != static_cast<T>(values[n][lane]))
                warp.fail(i, lane, errorLaunchFailed,
                          "writes one value where another lane of its warp writes another by the same instruction");
    }
}

template <class T, class Register, int count> Execute pick(MemoryForm form) {
    if (form.kind == AccessKind::Write)
        return form.wideAddress ? store<T, Register, count, true> : store<T, Register, count, false>;
    if (form.kind == AccessKind::ReadOnly)
        return form.wideAddress ? load<T, Register, count, true, AccessKind::ReadOnly>
                                : load<T, Register, count, false, AccessKind::ReadOnly>;
    if (form.kind == AccessKind::AtomicRead)
        return form.wideAddress ? load<T, Register, count, true, AccessKind::AtomicRead>
                                : load<T, Register, count, false, AccessKind::AtomicRead>;
    return form.wideAddress ? load<T, Register, count, true, AccessKind::Read> : load<T, Register, count, false, AccessKind::Read>;
}

template <class T> Execute pickCount(MemoryForm form) {
    using Register = Slot<T>;
    switch (form.count) {
    case 1: return pick<T, Register, 1>(form);
    case 2: return pick<T, Register, 2>(form);
    default: return pick<T, Register, 4>(form);
    }
}

} // namespace

Execute memoryAccess(MemoryForm form) {
    switch (form.elementBytes) {
    case 1: return form.isSigned ? pickCount<int8_t>(form) : pickCount<uint8_t>(form);
    case 2: return form.isSigned ? pickCount<int16_t>(form) : pickCount<uint16_t>(form);
    case 4: return form.isSigned ? pickCount<int32_t>(form) : pickCount<uint32_t>(form);
    default: return pickCount<uint64_t>(form);
    }
}

} // namespace emulator
