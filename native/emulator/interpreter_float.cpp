// Arithmetic of float32 and float64 and the functions that the device approximates.
#include "interpreter_opcodes.h"

#include <cmath>
#include <limits>
#include <numbers>

namespace emulator {

namespace {

// .ftz: subnormal numbers count as zero, with their sign.
float flush(float value) {
    return std::fabs(value) < std::numeric_limits<float>::min() ? std::copysign(0.0f, value) : value;
}

// .sat: into [0, 1], and NaN becomes 0.
float saturate(float value) {
    return value > 0 ? (value < 1 ? value : 1.0f) : 0.0f;
}

template <auto function, bool costly, class... Inputs> void addVariants(OpcodeTable& t, const std::string& name, float (*)(Inputs...)) {
    auto make = []<auto f>() { return costly ? mapCostly<f>() : map<f>(); };
    t[name + ".f32"] = make.template operator()<[](Inputs... x) -> float { return function(x...); }>();
    t[name + ".ftz.f32"] = make.template operator()<[](Inputs... x) -> float { return flush(function(flush(x)...)); }>();
    t[name + ".sat.f32"] = make.template operator()<[](Inputs... x) -> float { return saturate(function(x...)); }>();
    t[name + ".ftz.sat.f32"] = make.template operator()<[](Inputs... x) -> float { return saturate(flush(function(flush(x)...))); }>();
}

/// A function of floats with its .ftz and .sat forms.
template <auto function> void add(OpcodeTable& t, const std::string& name) {
    addVariants<function, false>(t, name, +function);
}

template <auto function> void addCostly(OpcodeTable& t, const std::string& name) {
    addVariants<function, true>(t, name, +function);
}

/// A function whose last bit depends on the rounding mode: the default (nearest), .rn, .rz, .rm, .rp.
template <class T, auto function> void addRounded(OpcodeTable& t, const std::string& name) {
    OpcodeTable forms;
    if constexpr (sizeof(T) == 4)
        add<function>(forms, "");
    else
        forms[".f64"] = map<function>();
    for (auto& [suffix, form] : forms)
        t[name + suffix] = t[name + ".rn" + suffix] = form;
    using Function = decltype(function);
    Form plain = formOf<function, false>(&Function::operator());
    constexpr auto execute = []<class R, class... I>(R (Function::*)(I...) const) {
        return mapLanes<function, false, R, I...>;
    }(&Function::operator());
    std::string type = "." + typeName<T>();
    for (std::string flushing : {"", ".ftz"}) { // a directed rounding of subnormal numbers with .ftz is not met in practice
        if (sizeof(T) == 8 && !flushing.empty())
            continue;
        t[name + ".rz" + flushing + type] = {withRounding<execute, FE_TOWARDZERO>, plain.operands};
        t[name + ".rm" + flushing + type] = {withRounding<execute, FE_DOWNWARD>, plain.operands};
        t[name + ".rp" + flushing + type] = {withRounding<execute, FE_UPWARD>, plain.operands};
    }
}

// The number that is not NaN wins; -0 is less than +0.
template <class T> T smaller(T a, T b) {
    if (std::isnan(a) || std::isnan(b))
        return std::isnan(a) ? (std::isnan(b) ? std::numeric_limits<T>::quiet_NaN() : b) : a;
    return a < b || (a == b && std::signbit(a)) ? a : b;
}

template <class T> T larger(T a, T b) {
    if (std::isnan(a) || std::isnan(b))
        return std::isnan(a) ? (std::isnan(b) ? std::numeric_limits<T>::quiet_NaN() : b) : a;
    return a > b || (a == b && std::signbit(b)) ? a : b;
}

template <class T> void addCommon(OpcodeTable& t) {
    addRounded<T, [](T a, T b) -> T { return a + b; }>(t, "add");
    addRounded<T, [](T a, T b) -> T { return a - b; }>(t, "sub");
    addRounded<T, [](T a, T b) -> T { return a * b; }>(t, "mul");
    addRounded<T, [](T a, T b) -> T { return a / b; }>(t, "div");
    addRounded<T, [](T a, T b, T c) -> T { return std::fma(a, b, c); }>(t, "fma");
    addRounded<T, [](T a, T b, T c) -> T { return std::fma(a, b, c); }>(t, "mad");
    addRounded<T, [](T a) -> T { return std::sqrt(a); }>(t, "sqrt");
    addRounded<T, [](T a) -> T { return 1 / a; }>(t, "rcp");
}

} // namespace

void addFloatOpcodes(OpcodeTable& t) {
    addCommon<float>(t);
    add<[](float a) -> float { return -a; }>(t, "neg");
    add<[](float a) -> float { return std::fabs(a); }>(t, "abs");
    add<[](float a, float b) -> float { return smaller(a, b); }>(t, "min");
    add<[](float a, float b) -> float { return larger(a, b); }>(t, "max");
    add<[](float a, float b) -> float { return std::isnan(a) || std::isnan(b) ? NAN : smaller(a, b); }>(t, "min.NaN");
    add<[](float a, float b) -> float { return std::isnan(a) || std::isnan(b) ? NAN : larger(a, b); }>(t, "max.NaN");

    // The device's approximations are within a few units in the last place; these are exact to about one.
    add<[](float a, float b) -> float { return a / b; }>(t, "div.full");
    add<[](float a, float b) -> float { return a / b; }>(t, "div.approx");
    add<[](float a) -> float { return 1 / a; }>(t, "rcp.approx");
    add<[](float a) -> float { return std::sqrt(a); }>(t, "sqrt.approx");
    add<[](float a) -> float { return float(1 / std::sqrt(double(a))); }>(t, "rsqrt.approx");
    addCostly<[](float a) -> float { return std::exp2(a); }>(t, "ex2.approx");
    addCostly<[](float a) -> float { return std::log2(a); }>(t, "lg2.approx");
    addCostly<[](float a) -> float { return std::sin(a); }>(t, "sin.approx");
    addCostly<[](float a) -> float { return std::cos(a); }>(t, "cos.approx");
    addCostly<[](float a) -> float { return std::tanh(a); }>(t, "tanh.approx");
    t["copysign.f32"] = map<[](float sign, float value) -> float { return std::copysign(value, sign); }>();
}

void addDoubleOpcodes(OpcodeTable& t) {
    addCommon<double>(t);
    t["neg.f64"] = map<[](double a) -> double { return -a; }>();
    t["abs.f64"] = map<[](double a) -> double { return std::fabs(a); }>();
    t["min.f64"] = map<[](double a, double b) -> double { return smaller(a, b); }>();
    t["max.f64"] = map<[](double a, double b) -> double { return larger(a, b); }>();
    // The approximations of float64 keep 20 bits of the fraction, in the high word.
    t["rcp.approx.ftz.f64"] = map<[](double a) -> double { return std::bit_cast<double>(std::bit_cast<uint64_t>(1 / a) >> 32 << 32); }>();
    t["rsqrt.approx.f64"] = map<[](double a) -> double { return 1 / std::sqrt(a); }>();
    t["rsqrt.approx.ftz.f64"] =
        map<[](double a) -> double { return std::bit_cast<double>(std::bit_cast<uint64_t>(1 / std::sqrt(a)) >> 32 << 32); }>();
    t["copysign.f64"] = map<[](double sign, double value) -> double { return std::copysign(value, sign); }>();
}

} // namespace emulator
