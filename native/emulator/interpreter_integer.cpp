// Integer arithmetic, logic, shifts and bit fields.
#include "interpreter_opcodes.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace emulator {

namespace {

template <class T> using Unsigned = std::make_unsigned_t<T>;

// Arithmetic wraps; in C++ only unsigned arithmetic does, and the small types grow to int before it.
template <class T> constexpr T wrap(auto value) {
    return static_cast<T>(static_cast<Unsigned<T>>(value));
}

template <class T> constexpr auto wide(T value) {
    if constexpr (sizeof(T) == 2)
        return static_cast<std::conditional_t<std::is_signed_v<T>, int32_t, uint32_t>>(value);
    else
        return static_cast<std::conditional_t<std::is_signed_v<T>, int64_t, uint64_t>>(value);
}

// The high half of a 64 by 64 bit product, from four products of halves.
constexpr uint64_t highProduct(uint64_t a, uint64_t b) {
    uint64_t aLow = uint32_t(a), aHigh = a >> 32, bLow = uint32_t(b), bHigh = b >> 32;
    uint64_t middle = aHigh * bLow + (aLow * bLow >> 32);
    uint64_t middle2 = aLow * bHigh + uint32_t(middle);
    return aHigh * bHigh + (middle >> 32) + (middle2 >> 32);
}

template <class T> constexpr T multiplyHigh(T a, T b) {
    if constexpr (sizeof(T) < 8) {
        return static_cast<T>(wide(a) * wide(b) >> (sizeof(T) * 8));
    } else {
        uint64_t high = highProduct(uint64_t(a), uint64_t(b));
        if constexpr (std::is_signed_v<T>)
            high -= (a < 0 ? uint64_t(b) : 0) + (b < 0 ? uint64_t(a) : 0);
        return static_cast<T>(high);
    }
}

// As the device: no trap, all bits set; the smallest number over -1 wraps.
template <class T> constexpr T divide(T a, T b) {
    if (b == 0)
        return wrap<T>(~Unsigned<T>(0));
    if constexpr (std::is_signed_v<T>)
        if (b == -1)
            return wrap<T>(Unsigned<T>(0) - Unsigned<T>(a));
    return static_cast<T>(a / b);
}

template <class T> constexpr T remainder(T a, T b) {
    if (b == 0)
        return a;
    if constexpr (std::is_signed_v<T>)
        if (b == -1)
            return 0;
    return static_cast<T>(a % b);
}

template <class T> void addArithmetic(OpcodeTable& t) {
    std::string type = "." + typeName<T>();
    t["add" + type] = map<[](T a, T b) -> T { return wrap<T>(Unsigned<T>(a) + Unsigned<T>(b)); }>();
    t["sub" + type] = map<[](T a, T b) -> T { return wrap<T>(Unsigned<T>(a) - Unsigned<T>(b)); }>();
    t["mul.lo" + type] = map<[](T a, T b) -> T { return wrap<T>(wide(a) * uint64_t(b)); }>();
    t["mul.hi" + type] = map<[](T a, T b) -> T { return multiplyHigh(a, b); }>();
    t["mad.lo" + type] = map<[](T a, T b, T c) -> T { return wrap<T>(wide(a) * uint64_t(b) + uint64_t(c)); }>();
    t["mad.hi" + type] = map<[](T a, T b, T c) -> T { return wrap<T>(uint64_t(multiplyHigh(a, b)) + uint64_t(c)); }>();
    t["div" + type] = mapCostly<[](T a, T b) -> T { return divide(a, b); }>();
    t["rem" + type] = mapCostly<[](T a, T b) -> T { return remainder(a, b); }>();
    t["min" + type] = map<[](T a, T b) -> T { return a < b ? a : b; }>();
    t["max" + type] = map<[](T a, T b) -> T { return b < a ? a : b; }>();
    t["sad" + type] =
        map<[](T a, T b, T c) -> T { return wrap<T>(uint64_t(c) + (a < b ? uint64_t(b) - uint64_t(a) : uint64_t(a) - uint64_t(b))); }>();
    if constexpr (std::is_signed_v<T>) {
        t["abs" + type] = map<[](T a) -> T { return wrap<T>(a < 0 ? 0 - uint64_t(a) : uint64_t(a)); }>();
        t["neg" + type] = map<[](T a) -> T { return wrap<T>(0 - uint64_t(a)); }>();
    }
    if constexpr (sizeof(T) < 8) {
        using W = decltype(wide(T()));
        t["mul.wide" + type] = map<[](T a, T b) -> W { return wide(a) * wide(b); }>();
        t["mad.wide" + type] = map<[](T a, T b, W c) -> W { return wrap<W>(Unsigned<W>(wide(a) * wide(b)) + Unsigned<W>(c)); }>();
    }
    // A shift by the width or more gives all sign bits or zeros.
    t["shr" + type] = map<[](T a, uint32_t n) -> T {
        constexpr uint32_t bits = sizeof(T) * 8;
        return static_cast<T>(std::is_signed_v<T> || n < bits ? a >> std::min(n, bits - 1) : 0);
    }>();
}

template <class T> void addLogic(OpcodeTable& t) {
    constexpr uint32_t bits = sizeof(T) * 8;
    std::string type = ".b" + std::to_string(bits);
    t["and" + type] = map<[](T a, T b) -> T { return a & b; }>();
    t["or" + type] = map<[](T a, T b) -> T { return a | b; }>();
    t["xor" + type] = map<[](T a, T b) -> T { return a ^ b; }>();
    t["not" + type] = map<[](T a) -> T { return static_cast<T>(~a); }>();
    t["cnot" + type] = map<[](T a) -> T { return a == 0; }>();
    t["shl" + type] = map<[](T a, uint32_t n) -> T { return static_cast<T>(n < bits ? a << std::min(n, bits - 1) : 0); }>();
    t["shr" + type] = t["shr.u" + std::to_string(bits)];
    for (std::string same : {"u", "s", "f"})
        t["mov." + same + std::to_string(bits)] = map<[](T a) -> T { return a; }>();
    t["mov" + type] = t["mov.u" + std::to_string(bits)];
}

template <class T> T reverseBits(T value) {
    T result = 0;
    for (unsigned n = 0; n < sizeof(T) * 8; n++)
        result = result << 1 | (value >> n & 1);
    return result;
}

// The position of the highest bit that differs from the sign; all ones: none.
template <class T> uint32_t findHighest(T value) {
    auto bits = static_cast<Unsigned<T>>(value < 0 ? ~value : value);
    return bits == 0 ? ~0u : uint32_t(sizeof(T) * 8 - 1 - std::countl_zero(bits));
}

template <class T> T bitField(T value, uint32_t start, uint32_t length) {
    constexpr uint32_t top = sizeof(T) * 8 - 1;
    start &= 0xFF;
    length &= 0xFF;
    bool sign = std::is_signed_v<T> && length != 0 && (Unsigned<T>(value) >> std::min(start + length - 1, top) & 1) != 0;
    T result = 0;
    for (uint32_t n = 0; n <= top; n++) {
        bool bit = n < length && start + n <= top ? (Unsigned<T>(value) >> (start + n) & 1) != 0 : sign;
        result |= static_cast<T>(Unsigned<T>(bit) << n);
    }
    return result;
}

template <class T> T insertField(T field, T into, uint32_t start, uint32_t length) {
    constexpr uint32_t bits = sizeof(T) * 8;
    start &= 0xFF;
    length &= 0xFF;
    if (start >= bits || length == 0)
        return into;
    T mask = (length >= bits ? ~T(0) : (T(1) << length) - 1) << start;
    return (into & ~mask) | (field << start & mask);
}

template <class T> void addBitCounts(OpcodeTable& t) {
    constexpr bool isSigned = std::is_signed_v<T>;
    std::string bits = std::to_string(sizeof(T) * 8), type = (isSigned ? ".s" : ".u") + bits;
    t["bfind" + type] = mapCostly<[](T a) -> uint32_t { return findHighest(a); }>();
    t["bfind.shiftamt" + type] = mapCostly<[](T a) -> uint32_t {
        uint32_t highest = findHighest(a);
        return highest == ~0u ? highest : uint32_t(sizeof(T) * 8 - 1) - highest;
    }>();
    t["bfe" + type] = mapCostly<[](T a, uint32_t start, uint32_t length) -> T { return bitField(a, start, length); }>();
    if constexpr (!isSigned) {
        t["popc.b" + bits] = mapCostly<[](T a) -> uint32_t { return uint32_t(std::popcount(a)); }>();
        t["clz.b" + bits] = mapCostly<[](T a) -> uint32_t { return uint32_t(std::countl_zero(a)); }>();
        t["brev.b" + bits] = mapCostly<[](T a) -> T { return reverseBits(a); }>();
        t["bfi.b" + bits] = mapCostly<[](T a, T b, uint32_t start, uint32_t length) -> T { return insertField(a, b, start, length); }>();
    }
}

// Picks four of the eight bytes b:a; a selector's high bit repeats the sign of its byte.
uint32_t permuteBytes(uint32_t a, uint32_t b, uint32_t selectors) {
    uint64_t bytes = uint64_t(b) << 32 | a;
    uint32_t result = 0;
    for (int n = 0; n < 4; n++) {
        uint32_t selector = selectors >> (4 * n);
        uint32_t byte = uint32_t(bytes >> (8 * (selector & 7))) & 0xFF;
        if ((selector & 8) != 0)
            byte = (byte & 0x80) != 0 ? 0xFF : 0;
        result |= byte << (8 * n);
    }
    return result;
}

// The shift by a clamped or wrapped amount of the 64 bits high:low.
template <bool left, bool clamped> uint32_t funnelShift(uint32_t low, uint32_t high, uint32_t amount) {
    uint32_t n = clamped ? std::min(amount, 32u) : amount & 31;
    uint64_t both = uint64_t(high) << 32 | low;
    return left ? uint32_t(both << n >> 32) : uint32_t(both >> n);
}

// Bit k of the result is bit (a_k b_k c_k) of the table.
void lop3(Warp& warp, const Instruction& i, LaneMask active) {
    auto* result = warp.lanesOf<uint32_t>(i.operands[0]);
    const auto *a = warp.lanesOf<uint32_t>(i.operands[1]), *b = warp.lanesOf<uint32_t>(i.operands[2]),
               *c = warp.lanesOf<uint32_t>(i.operands[3]);
    uint32_t table = warp.lanesOf<uint32_t>(i.operands[4])[0];
    for (int lane = 0; lane < warpLanes; lane++) {
        uint32_t value = 0;
        for (int row = 0; row < 8; row++)
            if ((table >> row & 1) != 0)
                value |=
                    ((row & 4) != 0 ? a[lane] : ~a[lane]) & ((row & 2) != 0 ? b[lane] : ~b[lane]) & ((row & 1) != 0 ? c[lane] : ~c[lane]);
        result[lane] = (active >> lane & 1) != 0 ? value : result[lane];
    }
}

enum class Carry : uint8_t { Add, Subtract, MultiplyLow, MultiplyHigh };

// add.cc, addc, addc.cc and so on: the carry of a lane is its bit in predicate 1, which the decoder keeps for this.
template <Carry operation, class T, bool takesCarry, bool givesCarry> void withCarry(Warp& warp, const Instruction& i, LaneMask active) {
    auto* result = warp.lanesOf<T>(i.operands[0]);
    const auto *a = warp.lanesOf<T>(i.operands[1]), *b = warp.lanesOf<T>(i.operands[2]);
    const auto* c = warp.lanesOf<T>(i.operands[3]);
    LaneMask carries = warp.predicate(1), next = 0;
    for (LaneMask rest = active; rest != 0; rest &= rest - 1) {
        int lane = std::countr_zero(rest);
        T carry = takesCarry ? carries >> lane & 1 : 0, left, right;
        if constexpr (operation == Carry::Add || operation == Carry::Subtract)
            left = a[lane], right = b[lane];
        else
            left = operation == Carry::MultiplyLow ? T(a[lane] * b[lane]) : multiplyHigh(a[lane], b[lane]), right = c[lane];
        bool over;
        if constexpr (operation == Carry::Subtract) { // the carry is a borrow
            over = left < right || T(left - right) < carry;
            result[lane] = left - right - carry;
        } else {
            T sum = left + right;
            over = sum < left || T(sum + carry) < sum;
            result[lane] = sum + carry;
        }
        next |= over ? LaneMask(1) << lane : 0;
    }
    if constexpr (givesCarry)
        warp.setPredicate(1, next, active);
}

template <Carry operation, class T> void addCarryForms(OpcodeTable& t, const std::string& name, const std::string& half, size_t operands) {
    std::vector<Place> places(operands, placeOf<T>);
    for (std::string sign : {"u", "s", "b"}) {
        std::string type = half + "." + sign + std::to_string(sizeof(T) * 8);
        t[name + half + ".cc." + sign + std::to_string(sizeof(T) * 8)] = {withCarry<operation, T, false, true>, places};
        t[name + "c" + type] = {withCarry<operation, T, true, false>, places};
        t[name + "c" + half + ".cc." + sign + std::to_string(sizeof(T) * 8)] = {withCarry<operation, T, true, true>, places};
    }
}

template <class T> void addCarries(OpcodeTable& t) {
    addCarryForms<Carry::Add, T>(t, "add", "", 3);
    addCarryForms<Carry::Subtract, T>(t, "sub", "", 3);
    addCarryForms<Carry::MultiplyLow, T>(t, "mad", ".lo", 4);
    if constexpr (sizeof(T) == 4)
        addCarryForms<Carry::MultiplyHigh, T>(t, "mad", ".hi", 4); // of unsigned numbers only
}

} // namespace

void addIntegerOpcodes(OpcodeTable& t) {
    addArithmetic<uint16_t>(t);
    addArithmetic<int16_t>(t);
    addArithmetic<uint32_t>(t);
    addArithmetic<int32_t>(t);
    addArithmetic<uint64_t>(t);
    addArithmetic<int64_t>(t);
    addLogic<uint16_t>(t);
    addLogic<uint32_t>(t);
    addLogic<uint64_t>(t);
    addBitCounts<uint32_t>(t);
    addBitCounts<int32_t>(t);
    addBitCounts<uint64_t>(t);
    addBitCounts<int64_t>(t);
    addCarries<uint32_t>(t);
    addCarries<uint64_t>(t);
    t["prmt.b32"] = mapCostly<[](uint32_t a, uint32_t b, uint32_t selectors) { return permuteBytes(a, b, selectors); }>();
    t["shf.l.wrap.b32"] = map<[](uint32_t a, uint32_t b, uint32_t n) { return funnelShift<true, false>(a, b, n); }>();
    t["shf.l.clamp.b32"] = map<[](uint32_t a, uint32_t b, uint32_t n) { return funnelShift<true, true>(a, b, n); }>();
    t["shf.r.wrap.b32"] = map<[](uint32_t a, uint32_t b, uint32_t n) { return funnelShift<false, false>(a, b, n); }>();
    t["shf.r.clamp.b32"] = map<[](uint32_t a, uint32_t b, uint32_t n) { return funnelShift<false, true>(a, b, n); }>();
    t["lop3.b32"] = {lop3, std::vector<Place>(5, Place::Narrow)};
    // 24-bit products
    t["mul24.lo.u32"] = map<[](uint32_t a, uint32_t b) -> uint32_t { return (a & 0xFFFFFF) * (b & 0xFFFFFF); }>();
    t["mul24.lo.s32"] =
        map<[](uint32_t a, uint32_t b) -> uint32_t { return uint32_t(int32_t(a << 8) >> 8) * uint32_t(int32_t(b << 8) >> 8); }>();
}

} // namespace emulator
