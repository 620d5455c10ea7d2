// Comparisons, selections and the logic of predicates.
#include "interpreter_opcodes.h"

#include <cmath>

namespace emulator {

namespace {

enum Combine : int64_t { combineNone, combineAnd, combineOr, combineXor };

// setp p|q, a, b, c: the comparison, joined with c; q takes the opposite comparison. Without a `|q`, q is the decoder's spare predicate.
template <auto function, class T> void compare(Warp& warp, const Instruction& i, LaneMask active) {
    Input<T> a(warp, i.operands[2]), b(warp, i.operands[3]);
    LaneMask result = 0;
    for (int lane = 0; lane < warpLanes; lane++)
        result |= function(a[lane], b[lane]) ? LaneMask(1) << lane : 0;

    LaneMask opposite = ~result;
    if (i.immediate != combineNone) {
        LaneMask c = warp.predicate(i.operands[4]);
        auto join = [&](LaneMask value) {
            return i.immediate == combineAnd ? value & c : i.immediate == combineOr ? value | c : value ^ c;
        };
        result = join(result);
        opposite = join(opposite);
    }
    warp.setPredicate(i.operands[1], opposite, active);
    warp.setPredicate(i.operands[0], result, active);
}

template <auto function, class T> void add(OpcodeTable& t, const std::string& name, const std::string& type) {
    std::vector<Place> plain = {Place::Predicate, Place::Predicate, placeOf<T>, placeOf<T>}, joined = plain;
    joined.push_back(Place::Predicate);
    for (std::string flushing : {"", ".ftz"}) {
        t["setp." + name + flushing + "." + type] = {compare<function, T>, plain, combineNone, true};
        t["setp." + name + ".and" + flushing + "." + type] = {compare<function, T>, joined, combineAnd, true};
        t["setp." + name + ".or" + flushing + "." + type] = {compare<function, T>, joined, combineOr, true};
        t["setp." + name + ".xor" + flushing + "." + type] = {compare<function, T>, joined, combineXor, true};
    }
    t["set." + name + ".u32." + type] = t["set." + name + ".s32." + type] =
        map<[](T a, T b) -> uint32_t { return function(a, b) ? ~0u : 0; }>();
    t["set." + name + ".f32." + type] = map<[](T a, T b) -> float { return function(a, b) ? 1.0f : 0.0f; }>();
}

template <class T> void addOrder(OpcodeTable& t, const std::string& type) {
    add<[](T a, T b) { return a == b; }, T>(t, "eq", type);
    add<[](T a, T b) { return a < b || b < a; }, T>(t, "ne", type); // of numbers only: ordered
    add<[](T a, T b) { return a < b; }, T>(t, "lt", type);
    add<[](T a, T b) { return a <= b; }, T>(t, "le", type);
    add<[](T a, T b) { return b < a; }, T>(t, "gt", type);
    add<[](T a, T b) { return a >= b; }, T>(t, "ge", type);
    if constexpr (std::is_floating_point_v<T>) { // true also where one is NaN
        add<[](T a, T b) { return !(a < b || b < a); }, T>(t, "equ", type);
        add<[](T a, T b) { return !(a == b); }, T>(t, "neu", type);
        add<[](T a, T b) { return !(a >= b); }, T>(t, "ltu", type);
        add<[](T a, T b) { return !(b < a); }, T>(t, "leu", type);
        add<[](T a, T b) { return !(a <= b); }, T>(t, "gtu", type);
        add<[](T a, T b) { return !(a < b); }, T>(t, "geu", type);
        add<[](T a, T b) { return a == a && b == b; }, T>(t, "num", type);
        add<[](T a, T b) { return !(a == a && b == b); }, T>(t, "nan", type);
    } else if constexpr (std::is_unsigned_v<T>) {
        add<[](T a, T b) { return a < b; }, T>(t, "lo", type);
        add<[](T a, T b) { return a <= b; }, T>(t, "ls", type);
        add<[](T a, T b) { return b < a; }, T>(t, "hi", type);
        add<[](T a, T b) { return a >= b; }, T>(t, "hs", type);
    }
}

template <class T> void addSelections(OpcodeTable& t) {
    for (std::string kind : {"b", "u", "s", "f"}) {
        std::string type = "." + kind + std::to_string(sizeof(T) * 8);
        t["selp" + type] = map<[](T a, T b, bool first) -> T { return first ? a : b; }>();
        t["slct" + type + ".s32"] = map<[](T a, T b, int32_t c) -> T { return c >= 0 ? a : b; }>();
        t["slct" + type + ".f32"] = t["slct.ftz" + type + ".f32"] = map<[](T a, T b, float c) -> T { return c >= 0 ? a : b; }>();
    }
}

template <class T> void addTests(OpcodeTable& t) {
    std::string type = "." + typeName<T>();
    t["testp.finite" + type] = mapCostly<[](T a) -> bool { return std::isfinite(a); }>();
    t["testp.infinite" + type] = mapCostly<[](T a) -> bool { return std::isinf(a); }>();
    t["testp.number" + type] = mapCostly<[](T a) -> bool { return !std::isnan(a); }>();
    t["testp.notanumber" + type] = mapCostly<[](T a) -> bool { return std::isnan(a); }>();
    t["testp.normal" + type] = mapCostly<[](T a) -> bool { return std::isnormal(a); }>();
    t["testp.subnormal" + type] = mapCostly<[](T a) -> bool { return std::fpclassify(a) == FP_SUBNORMAL; }>();
}

template <auto function> void joinPredicates(Warp& warp, const Instruction& i, LaneMask active) {
    warp.setPredicate(i.operands[0], function(warp.predicate(i.operands[1]), warp.predicate(i.operands[2])), active);
}

void copyPredicate(Warp& warp, const Instruction& i, LaneMask active) {
    warp.setPredicate(i.operands[0], warp.predicate(i.operands[1]), active);
}

void invertPredicate(Warp& warp, const Instruction& i, LaneMask active) {
    warp.setPredicate(i.operands[0], ~warp.predicate(i.operands[1]), active);
}

} // namespace

void addComparisons(OpcodeTable& t) {
    for (std::string bits : {"u", "b"}) {
        addOrder<uint16_t>(t, bits + "16");
        addOrder<uint32_t>(t, bits + "32");
        addOrder<uint64_t>(t, bits + "64");
    }
    addOrder<int16_t>(t, "s16");
    addOrder<int32_t>(t, "s32");
    addOrder<int64_t>(t, "s64");
    addOrder<float>(t, "f32");
    addOrder<double>(t, "f64");
    addSelections<uint16_t>(t);
    addSelections<uint32_t>(t);
    addSelections<uint64_t>(t);
    addTests<float>(t);
    addTests<double>(t);

    std::vector<Place> two(2, Place::Predicate), three(3, Place::Predicate);
    t["and.pred"] = {joinPredicates<[](LaneMask a, LaneMask b) { return a & b; }>, three};
    t["or.pred"] = {joinPredicates<[](LaneMask a, LaneMask b) { return a | b; }>, three};
    t["xor.pred"] = {joinPredicates<[](LaneMask a, LaneMask b) { return a ^ b; }>, three};
    t["mov.pred"] = {copyPredicate, two};
    t["not.pred"] = {invertPredicate, two};
}

} // namespace emulator
