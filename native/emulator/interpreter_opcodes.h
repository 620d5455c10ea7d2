// Opcodes without memory or control flow: a table from the written opcode to a form, made of a plain function of one lane.
// `map` turns that function into a loop over the 32 lanes of a warp, which the compiler vectorises.
#pragma once

#include "interpreter_warp.h"

#include <bit>
#include <cfenv>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_map>
#include <vector>

#if defined(__clang__)
#define EMULATOR_INDEPENDENT_LANES _Pragma("clang loop vectorize(assume_safety)")
#elif defined(__GNUC__)
#define EMULATOR_INDEPENDENT_LANES _Pragma("GCC ivdep")
#else
#define EMULATOR_INDEPENDENT_LANES __pragma(loop(ivdep))
#endif

namespace emulator {

/// What an operand is: a predicate, or a register of 4 or 8 bytes per lane (16-bit values lie in 4 bytes).
enum class Place : uint8_t { Predicate, Narrow, Wide };

struct Form {
    Execute execute = nullptr;
    std::vector<Place> operands; // the result first
    int64_t immediate = 0;
    bool paired = false;         // the result may be written a|b; the second place follows the first
};

using OpcodeTable = std::unordered_map<std::string, Form>;

void addIntegerOpcodes(OpcodeTable& table);
void addFloatOpcodes(OpcodeTable& table);
void addDoubleOpcodes(OpcodeTable& table);
void addConversions(OpcodeTable& table);
void addComparisons(OpcodeTable& table);

// A value of a lane lies in a slot of 4 or 8 bytes.
template <class T> using Slot = std::conditional_t<sizeof(T) == 8, uint64_t, uint32_t>;

template <class T> T fromSlot(Slot<T> slot) {
    if constexpr (sizeof(T) == sizeof(slot))
        return std::bit_cast<T>(slot);
    else
        return static_cast<T>(slot);
}

template <class T> Slot<T> toSlot(T value) {
    if constexpr (sizeof(T) == sizeof(Slot<T>))
        return std::bit_cast<Slot<T>>(value);
    else
        return static_cast<std::make_unsigned_t<T>>(value);
}

template <class T> constexpr Place placeOf = std::is_same_v<T, bool> ? Place::Predicate : sizeof(T) == 8 ? Place::Wide : Place::Narrow;

/// Reads an operand of type T, lane by lane.
template <class T> struct Input {
    const Slot<T>* slots;
    Input(Warp& warp, uint32_t place) : slots(warp.lanesOf<Slot<T>>(place)) {}
    T operator[](int lane) const { return fromSlot<T>(slots[lane]); }
};

template <> struct Input<bool> {
    LaneMask mask;
    Input(Warp& warp, uint32_t place) : mask(warp.predicate(place)) {}
    bool operator[](int lane) const { return (mask >> lane & 1) != 0; }
};

/// A function of one lane as a function of a warp. Lanes that are not active keep their value; a costly function skips them.
template <auto function, bool costly, class Result, class... Inputs> void mapLanes(Warp& warp, const Instruction& i, LaneMask active) {
    [&]<size_t... n>(std::index_sequence<n...>) {
        [&](Input<Inputs>... inputs) {
            if constexpr (std::is_same_v<Result, bool>) {
                LaneMask result = 0;
                for (int lane = 0; lane < warpLanes; lane++)
                    result |= function(inputs[lane]...) ? LaneMask(1) << lane : 0;
                warp.setPredicate(i.operands[0], result, active);
            } else if constexpr (costly) {
                auto* result = warp.lanesOf<Slot<Result>>(i.operands[0]);
                for (LaneMask rest = active; rest != 0; rest &= rest - 1) {
                    int lane = std::countr_zero(rest);
                    result[lane] = toSlot<Result>(function(inputs[lane]...));
                }
            } else {
                auto* result = warp.lanesOf<Slot<Result>>(i.operands[0]);
                if (active == allLanes) {
                    EMULATOR_INDEPENDENT_LANES
                    for (int lane = 0; lane < warpLanes; lane++)
                        result[lane] = toSlot<Result>(function(inputs[lane]...));
                } else {
                    EMULATOR_INDEPENDENT_LANES
                    for (int lane = 0; lane < warpLanes; lane++)
                        result[lane] = (active >> lane & 1) != 0 ? toSlot<Result>(function(inputs[lane]...)) : result[lane];
                }
            }
        }(Input<Inputs>(warp, i.operands[n + 1])...);
    }(std::index_sequence_for<Inputs...>());
}

template <auto function, bool costly, class Class, class Result, class... Inputs> Form formOf(Result (Class::*)(Inputs...) const) {
    return {mapLanes<function, costly, Result, Inputs...>, {placeOf<Result>, placeOf<Inputs>...}};
}

/// The form of a lambda such as [](float a, float b) { return a + b; }.
template <auto function> Form map() {
    return formOf<function, false>(&decltype(function)::operator());
}

/// The same for a function that takes longer than a few instructions or cannot be vectorised.
template <auto function> Form mapCostly() {
    return formOf<function, true>(&decltype(function)::operator());
}

/// Runs another instruction under a rounding mode of the host's arithmetic.
template <Execute execute, int mode> void withRounding(Warp& warp, const Instruction& i, LaneMask active) {
    std::fesetround(mode);
    execute(warp, i, active);
    std::fesetround(FE_TONEAREST);
}

// The names of PTX types.
template <class T> std::string typeName() {
    std::string bits = std::to_string(sizeof(T) * 8);
    return (std::is_floating_point_v<T> ? "f" : std::is_signed_v<T> ? "s" : "u") + bits;
}

} // namespace emulator
