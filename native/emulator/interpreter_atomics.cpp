// Atomic operations: the lanes of a warp one after the other, in the order of their numbers.
#include "interpreter_memory.h"
#include "interpreter_opcodes.h"

#include <cstring>

namespace emulator {

namespace {

template <class T, auto function, bool wideAddress, bool wantsResult> void update(Warp& warp, const Instruction& i, LaneMask active) {
    alignas(64) uint64_t addresses[warpLanes];
    if (active == 0)
        return;
    addressesOf(warp, i, i.operands[1], wideAddress, addresses);
    warp.resolve(i, addresses, active, AccessKind::Atomic);
    if (warp.launch.counters != nullptr)
        warp.launch.counters->atomics += std::popcount(active);

    Input<T> b(warp, i.operands[2]), c(warp, i.operands[3]);
    auto* result = warp.lanesOf<Slot<T>>(i.operands[0]);
    for (LaneMask rest = active; rest != 0; rest &= rest - 1) {
        int lane = std::countr_zero(rest);
        T old;
        std::memcpy(&old, reinterpret_cast<const void*>(addresses[lane]), sizeof old);
        T next = function(old, b[lane], c[lane]);
        std::memcpy(reinterpret_cast<void*>(addresses[lane]), &next, sizeof next);
        if constexpr (wantsResult)
            result[lane] = toSlot<T>(old);
    }
}

template <class T, auto function> Execute pick(bool wideAddress, bool wantsResult) {
    if (wantsResult)
        return wideAddress ? update<T, function, true, true> : update<T, function, false, true>;
    return wideAddress ? update<T, function, true, false> : update<T, function, false, false>;
}

template <class T> Execute pickOperation(std::string_view operation, bool wide, bool result) {
    if (operation == "exch")
        return pick<T, [](T, T b, T) -> T { return b; }>(wide, result);
    if (operation == "cas")
        return pick<T, [](T old, T b, T c) -> T { return old == b ? c : old; }>(wide, result);
    if constexpr (std::is_floating_point_v<T>) {
        if (operation == "add")
            return pick<T, [](T old, T b, T) -> T { return old + b; }>(wide, result);
    } else {
        using U = std::make_unsigned_t<T>;
        if (operation == "add")
            return pick<T, [](T old, T b, T) -> T { return static_cast<T>(U(old) + U(b)); }>(wide, result);
        if (operation == "min")
            return pick<T, [](T old, T b, T) -> T { return old < b ? old : b; }>(wide, result);
        if (operation == "max")
            return pick<T, [](T old, T b, T) -> T { return b < old ? old : b; }>(wide, result);
        if (operation == "and")
            return pick<T, [](T old, T b, T) -> T { return old & b; }>(wide, result);
        if (operation == "or")
            return pick<T, [](T old, T b, T) -> T { return old | b; }>(wide, result);
        if (operation == "xor")
            return pick<T, [](T old, T b, T) -> T { return old ^ b; }>(wide, result);
        if (operation == "inc")
            return pick<T, [](T old, T b, T) -> T { return old >= b ? 0 : old + 1; }>(wide, result);
        if (operation == "dec")
            return pick<T, [](T old, T b, T) -> T { return old == 0 || b < old ? b : old - 1; }>(wide, result);
    }
    return nullptr;
}

} // namespace

Execute atomicAccess(std::string_view operation, std::string_view type, bool wide, bool result) {
    if (type == "u32" || type == "b32")
        return pickOperation<uint32_t>(operation, wide, result);
    if (type == "s32")
        return pickOperation<int32_t>(operation, wide, result);
    if (type == "u64" || type == "b64")
        return pickOperation<uint64_t>(operation, wide, result);
    if (type == "s64")
        return pickOperation<int64_t>(operation, wide, result);
    if (type == "f32")
        return pickOperation<float>(operation, wide, result);
    if (type == "f64")
        return pickOperation<double>(operation, wide, result);
    return nullptr;
}

} // namespace emulator
