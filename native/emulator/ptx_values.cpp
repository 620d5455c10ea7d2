// The values of a kernel: registers, constants, special registers and the addresses of variables.
#include "ptx_decoder.h"

#include <algorithm>
#include <bit>

namespace emulator {

namespace {

using Kind = SpecialRegister::Kind;

const std::unordered_map<std::string_view, Kind>& specialNames() {
    static const std::unordered_map<std::string_view, Kind> names = {
        {"%tid.x", Kind::ThreadX}, {"%tid.y", Kind::ThreadY}, {"%tid.z", Kind::ThreadZ},
        {"%ntid.x", Kind::BlockSizeX}, {"%ntid.y", Kind::BlockSizeY}, {"%ntid.z", Kind::BlockSizeZ},
        {"%ctaid.x", Kind::BlockX}, {"%ctaid.y", Kind::BlockY}, {"%ctaid.z", Kind::BlockZ},
        {"%nctaid.x", Kind::GridX}, {"%nctaid.y", Kind::GridY}, {"%nctaid.z", Kind::GridZ},
        {"%laneid", Kind::Lane}, {"%warpid", Kind::Warp}, {"%nwarpid", Kind::WarpCount},
        {"%lanemask_eq", Kind::LanesEqual}, {"%lanemask_lt", Kind::LanesBelow}, {"%lanemask_le", Kind::LanesUpTo},
        {"%lanemask_gt", Kind::LanesAbove}, {"%lanemask_ge", Kind::LanesFrom},
        {"%dynamic_smem_size", Kind::DynamicSharedBytes}, {"%total_smem_size", Kind::TotalSharedBytes},
    };
    return names;
}

size_t alignUp(size_t value, size_t alignment) {
    return (value + alignment - 1) / alignment * alignment;
}

uint64_t bitsOf(const Operand& number, Place wanted) {
    if (number.floatBytes == 4 && wanted == Place::Wide)
        return std::bit_cast<uint64_t>(double(std::bit_cast<float>(uint32_t(number.bits))));
    if (number.floatBytes == 8 && wanted == Place::Narrow)
        return std::bit_cast<uint32_t>(float(std::bit_cast<double>(number.bits)));
    return number.bits;
}

} // namespace

ValueId KernelDecoder::newValue(Place place, bool stays) {
    if (place == Place::Predicate)
        return predicateMark | uint32_t(kernel_.predicates++);
    values_.push_back({place, stays});
    return uint32_t(values_.size() - 1);
}

ValueId KernelDecoder::constant(uint64_t bits, Place place) {
    if (place == Place::Predicate)
        return bits != 0 ? alwaysTrue : alwaysFalse;
    if (place == Place::Narrow)
        bits = uint32_t(bits);
    auto [entry, isNew] = constants_.try_emplace({bits, place}, 0);
    if (isNew) {
        entry->second = newValue(place, true);
        kernel_.constants.push_back({entry->second, bits, place == Place::Wide});
    }
    return entry->second;
}

ValueId KernelDecoder::specialRegister(std::string_view name) {
    if (name == "WARP_SZ")
        return constant(warpLanes, Place::Narrow);
    if (name == "%smid" || name == "%gridid")
        return constant(0, Place::Narrow);
    if (name == "%nsmid")
        return constant(1, Place::Narrow);
    auto kind = specialNames().find(name);
    if (kind == specialNames().end())
        return noValue;
    auto [entry, isNew] = special_.try_emplace(std::string(name), 0);
    if (isNew) {
        entry->second = newValue(Place::Narrow, true);
        kernel_.specialRegisters.push_back({kind->second, entry->second});
    }
    return entry->second;
}

void KernelDecoder::declareRegister(const std::string& name, std::string_view type) {
    Place place = type == "pred" ? Place::Predicate : typeBytes(type) == 8 ? Place::Wide : Place::Narrow;
    scopes_.back()[name] = {.kind = Symbol::Kind::Register, .place = place, .value = newValue(place)};
}

void KernelDecoder::declareVariable(const std::string& name, Space space, size_t bytes, size_t alignment) {
    size_t& used = space == Space::Shared ? kernel_.staticShared : kernel_.localBytes;
    used = alignUp(used, alignment);
    scopes_.back()[name] = {.kind = Symbol::Kind::Variable, .space = space, .address = used, .bytes = bytes};
    used += bytes;
}

Symbol* KernelDecoder::find(std::string_view name) {
    std::string key(name);
    for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope)
        if (auto found = scope->find(key); found != scope->end())
            return &found->second;
    auto found = moduleScope_.find(key);
    if (found == moduleScope_.end())
        return nullptr;
    // A shared variable of the module takes shared memory of those kernels that use it.
    Symbol symbol = found->second;
    if (symbol.kind == Symbol::Kind::Variable && symbol.space == Space::Shared) {
        kernel_.staticShared = alignUp(kernel_.staticShared, symbol.alignment);
        symbol.address = kernel_.staticShared;
        kernel_.staticShared += symbol.bytes;
    }
    return &(scopes_.front()[key] = symbol);
}

// Dynamic shared memory begins behind the static, whose size is known at the end of the kernel.
ValueId KernelDecoder::addressConstant(const Symbol& symbol, Place place) {
    if (symbol.kind == Symbol::Kind::Variable)
        return constant(symbol.address, place);
    ValueId& known = dynamicSharedAddress_[place == Place::Wide];
    if (known == noValue) {
        known = newValue(place, true);
        dynamicSharedConstants_.push_back(kernel_.constants.size());
        kernel_.constants.push_back({known, 0, place == Place::Wide});
    }
    return known;
}

Place KernelDecoder::sizeOf(const Operand& operand) {
    if (specialRegister(operand.name) != noValue)
        return Place::Narrow;
    Symbol* symbol = find(operand.name);
    if (symbol == nullptr)
        fail("'" + std::string(operand.name) + "' is not declared");
    if (symbol->kind != Symbol::Kind::Register)
        fail("'" + std::string(operand.name) + "' is not a register");
    return symbol->place;
}

ValueId KernelDecoder::input(const Operand& operand, Place wanted, bool isSigned) {
    if (operand.kind == Operand::Kind::Number)
        return constant(bitsOf(operand, wanted), wanted);
    if (operand.kind != Operand::Kind::Name)
        fail("an operand is not a register or a number");
    Place place = sizeOf(operand);
    ValueId special = specialRegister(operand.name);
    ValueId value = special != noValue ? special : find(operand.name)->value;
    if (operand.negated) {
        if (place != Place::Predicate)
            fail("'!' stands before a register that is not a predicate");
        ValueId opposite = newValue(Place::Predicate);
        emitForm("not.pred", {opposite, value});
        value = opposite;
    }
    if (place == wanted)
        return value;
    if (place == Place::Predicate || wanted == Place::Predicate)
        fail("'" + std::string(operand.name) + "' is of the wrong kind");
    ValueId converted = newValue(wanted);
    emitForm(wanted == Place::Narrow ? "cvt.u32.u64" : isSigned ? "cvt.s64.s32" : "cvt.u64.u32", {converted, value});
    return converted;
}

ValueId KernelDecoder::output(const Operand& operand, Place given, bool isSigned) {
    if (operand.kind == Operand::Kind::Sink)
        return newValue(given);
    if (operand.kind != Operand::Kind::Name || operand.negated)
        fail("a result is not a register");
    Symbol* symbol = find(operand.name);
    if (symbol == nullptr || symbol->kind != Symbol::Kind::Register)
        fail("'" + std::string(operand.name) + "' is not a register");
    if (symbol->place == given)
        return symbol->value;
    if (symbol->place == Place::Predicate || given == Place::Predicate)
        fail("'" + std::string(operand.name) + "' is of the wrong kind");
    ValueId before = newValue(given);
    outputs_.push_back({before, symbol->value, given == Place::Narrow, isSigned});
    return before;
}

void KernelDecoder::convertOutputs() {
    for (const OutputConversion& o : std::exchange(outputs_, {}))
        emitForm(!o.widen ? "cvt.u32.u64" : o.isSigned ? "cvt.s64.s32" : "cvt.u64.u32", {o.to, o.from});
}

void KernelDecoder::finish() {
    kernel_.dynamicSharedOffset = alignUp(kernel_.staticShared, 16);
    for (size_t n : dynamicSharedConstants_)
        kernel_.constants[n].bits = kernel_.dynamicSharedOffset;
    if (dynamicSharedConstants_.empty())
        kernel_.dynamicSharedOffset = kernel_.staticShared;
    kernel_.localBytes = alignUp(kernel_.localBytes, 16);
    finishControlFlow();
    placeValues();
}

} // namespace emulator
