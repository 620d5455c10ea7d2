// cvt: conversions between all number types, with their roundings.
#include "interpreter_opcodes.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace emulator {

namespace {

enum class Half : uint16_t {}; // the bits of a float16

float toFloat(Half half) {
    uint32_t bits = uint32_t(half), sign = (bits & 0x8000) << 16, exponent = bits >> 10 & 31, fraction = bits & 0x3FF;
    if (exponent == 31)
        return std::bit_cast<float>(sign | 0x7F800000 | fraction << 13);
    if (exponent != 0)
        return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
    float value = float(fraction) * 0x1p-24f;
    return sign != 0 ? -value : value;
}

// Rounds to 11 bits, or fewer below 2^-14, in the rounding mode of the host.
Half toHalf(double value) {
    uint16_t sign = std::signbit(value) ? 0x8000 : 0;
    if (std::isnan(value))
        return Half(0x7FFF);
    double size = std::fabs(value);
    int exponent = size >= 0x1p-14 && !std::isinf(size) ? std::max(std::ilogb(size), -14) : -14;
    double unit = std::ldexp(1.0, exponent - 10);
    double signedSteps = std::isinf(size) ? value : std::nearbyint(value / unit);
    double steps = std::fabs(signedSteps);
    if (steps * unit > 65504 || std::isinf(size)) {
        bool toLargest =
            !std::isinf(size) && (std::fegetround() == FE_TOWARDZERO || std::fegetround() == (sign != 0 ? FE_UPWARD : FE_DOWNWARD));
        return Half(sign | (toLargest ? 0x7BFF : 0x7C00));
    }
    return Half(sign | ((uint16_t(exponent + 14) << 10) + uint16_t(steps))); // the hidden bit carries into the exponent
}

// bfloat16: the upper half of a float32. A NaN is always the same.
template <bool toNearest> uint16_t toBfloat16(float value) {
    auto bits = std::bit_cast<uint32_t>(value);
    if ((bits & 0x7FFFFFFF) > 0x7F800000)
        return 0x7FFF;
    return uint16_t((toNearest ? bits + 0x7FFF + (bits >> 16 & 1) : bits) >> 16);
}

template <bool toNearest> uint32_t toBfloat16Pair(float upper, float lower) {
    return uint32_t(toBfloat16<toNearest>(upper)) << 16 | toBfloat16<toNearest>(lower);
}

float notBelowZero(float value) {
    return value < 0 ? 0 : value;
}

// tf32: a float32 with 10 bits of fraction; ties go away from zero.
uint32_t toTf32(float value) {
    auto bits = std::bit_cast<uint32_t>(value);
    if ((bits & 0x7FFFFFFF) > 0x7F800000)
        return 0x7FFFE000;
    return ((bits & 0x7F800000) == 0x7F800000 ? bits : bits + 0x1000) & 0xFFFFE000;
}

enum class Rounding : uint8_t { Nearest, Zero, Down, Up };

template <Rounding rounding, class T> T roundToInteger(T value) {
    if constexpr (rounding == Rounding::Nearest)
        return std::nearbyint(value);
    else if constexpr (rounding == Rounding::Zero)
        return std::trunc(value);
    else if constexpr (rounding == Rounding::Down)
        return std::floor(value);
    else
        return std::ceil(value);
}

// A float into the range of an integer; NaN becomes 0.
template <class To, class From> To clampToInteger(From value) {
    constexpr From low = From(std::numeric_limits<To>::min());
    constexpr From above = From(std::numeric_limits<To>::max() / 2 + 1) * 2; // the first number beyond
    if (!(value >= low))
        return value < low ? std::numeric_limits<To>::min() : To(0);
    return value < above ? static_cast<To>(value) : std::numeric_limits<To>::max();
}

template <class To, class From> To clampInteger(From value) {
    if constexpr (std::is_signed_v<From>)
        if (value < 0) {
            if constexpr (std::is_signed_v<To>)
                return int64_t(value) < int64_t(std::numeric_limits<To>::min()) ? std::numeric_limits<To>::min() : static_cast<To>(value);
            else
                return 0;
        }
    return uint64_t(value) > uint64_t(std::numeric_limits<To>::max()) ? std::numeric_limits<To>::max() : static_cast<To>(value);
}

template <class To, class From> void addIntegerToInteger(OpcodeTable& t) {
    std::string types = "." + typeName<To>() + "." + typeName<From>();
    t["cvt" + types] = map<[](From a) -> To { return static_cast<To>(a); }>();
    t["cvt.sat" + types] = map<[](From a) -> To { return clampInteger<To>(a); }>();
}

/// One form in four rounding modes of the host's arithmetic.
template <auto function> void addRounded(OpcodeTable& t, const std::string& before, const std::string& after) {
    using Function = decltype(function);
    Form form = map<function>();
    constexpr auto execute = []<class R, class... I>(R (Function::*)(I...) const) {
        return mapLanes<function, false, R, I...>;
    }(&Function::operator());
    t[before + ".rn" + after] = form;
    t[before + ".rz" + after] = {withRounding<execute, FE_TOWARDZERO>, form.operands};
    t[before + ".rm" + after] = {withRounding<execute, FE_DOWNWARD>, form.operands};
    t[before + ".rp" + after] = {withRounding<execute, FE_UPWARD>, form.operands};
}

template <class Float, class Integer> void addFloatAndInteger(OpcodeTable& t) {
    std::string to = "." + typeName<Integer>() + "." + typeName<Float>(), from = "." + typeName<Float>() + "." + typeName<Integer>();
    OpcodeTable forms;
    forms["rni"] = map<[](Float a) -> Integer { return clampToInteger<Integer>(roundToInteger<Rounding::Nearest>(a)); }>();
    forms["rzi"] = map<[](Float a) -> Integer { return clampToInteger<Integer>(a); }>();
    forms["rmi"] = map<[](Float a) -> Integer { return clampToInteger<Integer>(roundToInteger<Rounding::Down>(a)); }>();
    forms["rpi"] = map<[](Float a) -> Integer { return clampToInteger<Integer>(roundToInteger<Rounding::Up>(a)); }>();
    for (auto& [rounding, form] : forms)
        for (std::string modifier : {"", ".ftz", ".sat", ".ftz.sat"}) // into an integer, always saturated; a subnormal number only
            t["cvt." + rounding + modifier + to] = form;              // matters to .rmi and .rpi with .ftz, which are not met in practice
    addRounded<[](Integer a) -> Float { return static_cast<Float>(a); }>(t, "cvt", from);
}

template <class Float> void addRoundedToWhole(OpcodeTable& t) {
    std::string types = "." + typeName<Float>() + "." + typeName<Float>();
    OpcodeTable forms;
    forms[".rni"] = map<[](Float a) -> Float { return roundToInteger<Rounding::Nearest>(a); }>();
    forms[".rzi"] = map<[](Float a) -> Float { return roundToInteger<Rounding::Zero>(a); }>();
    forms[".rmi"] = map<[](Float a) -> Float { return roundToInteger<Rounding::Down>(a); }>();
    forms[".rpi"] = map<[](Float a) -> Float { return roundToInteger<Rounding::Up>(a); }>();
    forms[""] = map<[](Float a) -> Float { return a; }>();
    for (auto& [rounding, form] : forms)
        for (std::string modifier : {"", ".ftz"})
            t["cvt" + rounding + modifier + types] = form;
    t["cvt.sat" + types] = t["cvt.ftz.sat" + types] = map<[](Float a) -> Float { return 0 < a ? (a < 1 ? a : Float(1)) : Float(0); }>();
}

template <class Integer> void addIntegerType(OpcodeTable& t) {
    addIntegerToInteger<Integer, uint8_t>(t);
    addIntegerToInteger<Integer, int8_t>(t);
    addIntegerToInteger<Integer, uint16_t>(t);
    addIntegerToInteger<Integer, int16_t>(t);
    addIntegerToInteger<Integer, uint32_t>(t);
    addIntegerToInteger<Integer, int32_t>(t);
    addIntegerToInteger<Integer, uint64_t>(t);
    addIntegerToInteger<Integer, int64_t>(t);
    addFloatAndInteger<float, Integer>(t);
    addFloatAndInteger<double, Integer>(t);
}

} // namespace

void addConversions(OpcodeTable& t) {
    addIntegerType<uint8_t>(t);
    addIntegerType<int8_t>(t);
    addIntegerType<uint16_t>(t);
    addIntegerType<int16_t>(t);
    addIntegerType<uint32_t>(t);
    addIntegerType<int32_t>(t);
    addIntegerType<uint64_t>(t);
    addIntegerType<int64_t>(t);
    addRoundedToWhole<float>(t);
    addRoundedToWhole<double>(t);

    t["cvt.f64.f32"] = t["cvt.ftz.f64.f32"] = map<[](float a) -> double { return a; }>();
    addRounded<[](double a) -> float { return float(a); }>(t, "cvt", ".f32.f64");
    addRounded<[](double a) -> float { return float(a); }>(t, "cvt", ".ftz.f32.f64");

    t["cvt.rna.tf32.f32"] = map<[](float a) -> uint32_t { return toTf32(a); }>();
    t["cvt.rn.bf16.f32"] = map<[](float a) -> uint16_t { return toBfloat16<true>(a); }>();
    t["cvt.rz.bf16.f32"] = map<[](float a) -> uint16_t { return toBfloat16<false>(a); }>();
    t["cvt.rn.relu.bf16.f32"] = map<[](float a) -> uint16_t { return toBfloat16<true>(notBelowZero(a)); }>();
    t["cvt.f32.bf16"] = map<[](uint16_t a) -> float { return std::bit_cast<float>(uint32_t(a) << 16); }>();
    // Two numbers in one register, the first in the upper half.
    t["cvt.rn.bf16x2.f32"] = map<[](float a, float b) -> uint32_t { return toBfloat16Pair<true>(a, b); }>();
    t["cvt.rz.bf16x2.f32"] = map<[](float a, float b) -> uint32_t { return toBfloat16Pair<false>(a, b); }>();
    t["cvt.rn.relu.bf16x2.f32"] = map<[](float a, float b) -> uint32_t {
        return toBfloat16Pair<true>(notBelowZero(a), notBelowZero(b));
    }>();

    // A half lies in a 16-bit register as its bits.
    t["cvt.f32.f16"] = t["cvt.ftz.f32.f16"] = mapCostly<[](uint16_t a) -> float { return toFloat(Half(a)); }>();
    t["cvt.f64.f16"] = mapCostly<[](uint16_t a) -> double { return toFloat(Half(a)); }>();
    addRounded<[](float a) -> uint16_t { return uint16_t(toHalf(a)); }>(t, "cvt", ".f16.f32");
    addRounded<[](double a) -> uint16_t { return uint16_t(toHalf(a)); }>(t, "cvt", ".f16.f64");
    addRounded<[](int32_t a) -> uint16_t { return uint16_t(toHalf(a)); }>(t, "cvt", ".f16.s32");
    addRounded<[](uint32_t a) -> uint16_t { return uint16_t(toHalf(a)); }>(t, "cvt", ".f16.u32");
    t["cvt.rzi.s32.f16"] = mapCostly<[](uint16_t a) -> int32_t { return clampToInteger<int32_t>(toFloat(Half(a))); }>();
    t["cvt.rni.s32.f16"] = mapCostly<[](uint16_t a) -> int32_t { return clampToInteger<int32_t>(std::nearbyint(toFloat(Half(a)))); }>();
}

} // namespace emulator
