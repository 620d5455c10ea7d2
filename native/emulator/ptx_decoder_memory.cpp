// Decodes loads, stores, atomic operations, and mov and cvta, which make addresses.
#include "interpreter_memory.h"
#include "ptx_decoder.h"

namespace emulator {

namespace {

// mov.b64 {a, b}, d and mov.b64 d, {a, b}: `count` parts of `bits` bits.
template <class Whole, class Part, int count, int bits> void unpack(Warp& warp, const Instruction& i, LaneMask active) {
    const auto* whole = warp.lanesOf<Whole>(i.operands[count]);
    alignas(64) Whole values[warpLanes]; // a copy: a part may be the whole's register
    for (int lane = 0; lane < warpLanes; lane++)
        values[lane] = whole[lane];
    for (int n = 0; n < count; n++) {
        auto* part = warp.lanesOf<Part>(i.operands[n]);
        for (int lane = 0; lane < warpLanes; lane++)
            part[lane] =
                (active >> lane & 1) != 0 ? Part(values[lane] >> (n * bits) & (~Whole(0) >> (sizeof(Whole) * 8 - bits))) : part[lane];
    }
}

template <class Whole, class Part, int count, int bits> void pack(Warp& warp, const Instruction& i, LaneMask active) {
    alignas(64) Whole values[warpLanes] = {};
    for (int n = 0; n < count; n++) {
        const auto* part = warp.lanesOf<Part>(i.operands[n + 1]);
        for (int lane = 0; lane < warpLanes; lane++)
            values[lane] |= (Whole(part[lane]) & (~Whole(0) >> (sizeof(Whole) * 8 - bits))) << (n * bits);
    }
    auto* whole = warp.lanesOf<Whole>(i.operands[0]);
    for (int lane = 0; lane < warpLanes; lane++)
        whole[lane] = (active >> lane & 1) != 0 ? values[lane] : whole[lane];
}

template <class T> void readClock(Warp& warp, const Instruction& i, LaneMask active) {
    auto* result = warp.lanesOf<T>(i.operands[0]);
    for (int lane = 0; lane < warpLanes; lane++)
        result[lane] = (active >> lane & 1) != 0 ? T(warp.block.clock()) : result[lane];
}

} // namespace

void KernelDecoder::decodeMove() {
    expectOperands(2, 2);
    const Operand &to = operand(0), &from = operand(1);
    if (to.kind == Operand::Kind::Vector || from.kind == Operand::Kind::Vector)
        return decodeVectorMove();
    std::string key = opcodeKey();
    Place place = key == "mov.pred" ? Place::Predicate : typeBytes(written_.opcode.back()) == 8 ? Place::Wide : Place::Narrow;
    if (from.kind == Operand::Kind::Name &&
        (from.name == "%clock" || from.name == "%clock64" || from.name == "%clock_hi" || from.name == "%globaltimer")) {
        emit(place == Place::Wide ? readClock<uint64_t> : readClock<uint32_t>, 1, {output(to, place)});
        return;
    }
    ValueId source = noValue;
    if (from.kind == Operand::Kind::Name || from.kind == Operand::Kind::Address)
        if (Symbol* symbol = find(from.name); symbol != nullptr && symbol->kind != Symbol::Kind::Register) {
            source = addressConstant(*symbol, place);
            if (from.offset != 0) { // mov.u64 %rd1, table+8
                ValueId sum = newValue(place);
                emitForm(place == Place::Wide ? "add.u64" : "add.u32", {sum, source, constant(uint64_t(from.offset), place)});
                source = sum;
            }
        }
    if (source == noValue)
        source = input(from, place);
    ValueId result = output(to, place);
    if (typeBytes(written_.opcode.back()) == 0 && place != Place::Predicate)
        fail("this opcode is not known to the emulator");
    emitForm(key, {result, source});
}

void KernelDecoder::decodeVectorMove() {
    bool unpacks = operand(0).kind == Operand::Kind::Vector;
    const std::vector<Operand>& parts = operand(unpacks ? 0 : 1).elements;
    const Operand& whole = operand(unpacks ? 1 : 0);
    size_t bytes = typeBytes(written_.opcode.back());
    Place wholePlace = bytes == 8 ? Place::Wide : Place::Narrow;
    Execute execute = nullptr;
    if (bytes == 8 && parts.size() == 2)
        execute = unpacks ? unpack<uint64_t, uint32_t, 2, 32> : pack<uint64_t, uint32_t, 2, 32>;
    else if (bytes == 8 && parts.size() == 4)
        execute = unpacks ? unpack<uint64_t, uint32_t, 4, 16> : pack<uint64_t, uint32_t, 4, 16>;
    else if (bytes == 4 && parts.size() == 2)
        execute = unpacks ? unpack<uint32_t, uint32_t, 2, 16> : pack<uint32_t, uint32_t, 2, 16>;
    else if (bytes == 4 && parts.size() == 4)
        execute = unpacks ? unpack<uint32_t, uint32_t, 4, 8> : pack<uint32_t, uint32_t, 4, 8>;
    else
        fail("cannot take a vector of " + std::to_string(parts.size()) + " apart");

    std::vector<ValueId> values;
    if (!unpacks)
        values.push_back(output(whole, wholePlace));
    for (const Operand& part : parts)
        values.push_back(unpacks ? output(part, Place::Narrow) : input(part, Place::Narrow));
    if (unpacks)
        values.push_back(input(whole, wholePlace));
    emit(execute, unpacks ? parts.size() : 1, values);
}

Space KernelDecoder::takeSpace() {
    for (auto [name, space] : {std::pair{"global", Space::Global},
                               {"shared", Space::Shared},
                               {"shared::cta", Space::Shared},
                               {"local", Space::Local},
                               {"const", Space::Constant},
                               {"param", Space::Parameter}})
        if (take(name))
            return space;
    return Space::Generic;
}

std::pair<ValueId, bool> KernelDecoder::addressBase(const Operand& address) {
    if (address.kind != Operand::Kind::Address)
        fail("an address is not in brackets");
    if (address.name.empty())
        return {constant(0, Place::Wide), true};
    if (Symbol* symbol = find(address.name); symbol != nullptr && symbol->kind != Symbol::Kind::Register)
        return {addressConstant(*symbol, Place::Wide), true};
    Place place = sizeOf(address);
    if (place == Place::Predicate)
        fail("an address is a predicate");
    return {find(address.name)->value, place == Place::Wide};
}

void KernelDecoder::checkParameterAccess(const Operand& address, size_t bytes) {
    Symbol* symbol = find(address.name);
    if (symbol == nullptr || symbol->space != Space::Parameter)
        return;
    if (address.offset < 0 || size_t(address.offset) + bytes > symbol->bytes)
        fail("reads " + std::to_string(bytes) + " bytes at " + std::to_string(address.offset) + " of the parameter " +
             std::string(address.name) + ", which has " + std::to_string(symbol->bytes));
}

void KernelDecoder::decodeMemory(bool write) {
    expectOperands(2, 2);
    MemoryForm form;
    // How the order of accesses and the caches are told; here all accesses are in order and there are no caches.
    bool isVolatile = take("volatile"), isStrong = takeAny({"relaxed", "acquire", "release"});
    takeAny({"weak", "cta", "gpu", "sys", "ca", "cg", "cs", "lu", "cv", "wb", "wt"});
    takeAny({"L1::evict_normal", "L1::evict_unchanged", "L1::evict_first", "L1::evict_last", "L1::no_allocate", "L2::64B", "L2::128B",
             "L2::256B"});
    bool readOnly = take("nc");
    Space space = takeSpace();
    form.kind = write ? AccessKind::Write : readOnly ? AccessKind::ReadOnly
        : isStrong || (isVolatile && space != Space::Shared) ? AccessKind::AtomicRead : AccessKind::Read;
    form.count = take("v2") ? 2 : take("v4") ? 4 : 1;
    std::string_view type = written_.opcode.back();
    form.elementBytes = typeBytes(type);
    form.isSigned = type[0] == 's';
    if (written_.opcode.size() != 2 || form.elementBytes == 0)
        fail("this opcode is not known to the emulator");
    if (write && (space == Space::Constant || space == Space::Parameter))
        fail("cannot write to this memory");

    const Operand& value = operand(write ? 1 : 0);
    const Operand& address = operand(write ? 0 : 1);
    std::vector<Operand> values = value.kind == Operand::Kind::Vector ? value.elements : std::vector{value};
    if (values.size() != form.count)
        fail("has " + std::to_string(values.size()) + " values for " + std::to_string(form.count));
    Place place = form.elementBytes == 8 ? Place::Wide : Place::Narrow;
    std::vector<ValueId> operands;
    for (const Operand& element : values)
        operands.push_back(write ? input(element, place) : output(element, place, form.isSigned));
    auto [base, isWide] = addressBase(address);
    operands.push_back(base);
    form.wideAddress = isWide;
    if (space == Space::Parameter)
        checkParameterAccess(address, size_t(form.elementBytes) * form.count);

    Instruction& i = emit(memoryAccess(form), write ? 0 : form.count, operands);
    i.immediate = address.offset;
    i.space = space;
    i.bytes = uint8_t(form.elementBytes * form.count);
    i.elementBytes = uint8_t(form.elementBytes);
    i.touchesMemory = space != Space::Parameter && space != Space::Constant;
}

void KernelDecoder::decodeAtomic(bool wantsResult) {
    takeAny({"relaxed", "acquire", "release", "acq_rel", "cta", "gpu", "sys", "noftz"});
    Space space = takeSpace();
    if (written_.opcode.size() != 3)
        fail("this opcode is not known to the emulator");
    std::string_view operation = written_.opcode[1], type = written_.opcode[2];
    size_t values = operation == "cas" ? 2 : 1, first = wantsResult ? 1 : 0;
    expectOperands(first + 1 + values, first + 1 + values);
    Place place = typeBytes(type) == 8 ? Place::Wide : Place::Narrow;

    const Operand& address = operand(first);
    auto [base, wideAddress] = addressBase(address);
    ValueId b = input(operand(first + 1), place), c = values == 2 ? input(operand(first + 2), place) : b;
    uint32_t result = wantsResult ? output(operand(0), place) : b;
    Execute execute = atomicAccess(operation, type, wideAddress, wantsResult);
    if (execute == nullptr || (space != Space::Global && space != Space::Shared && space != Space::Generic))
        fail("this opcode is not known to the emulator");
    Instruction& i = emit(execute, wantsResult ? 1 : 0, {result, base, b, c});
    i.immediate = address.offset;
    i.space = space;
    i.bytes = uint8_t(typeBytes(type));
    i.touchesMemory = true;
}

// Between the addresses of a space and generic ones: the shared and the local window are added or taken away.
void KernelDecoder::decodeAddressConversion() {
    expectOperands(2, 2);
    bool toSpace = take("to");
    Space space = takeSpace();
    if (opcodeKey() != "cvta.u64" || space == Space::Parameter || space == Space::Generic)
        fail("this opcode is not known to the emulator");
    uint64_t window = space == Space::Shared ? sharedWindow : space == Space::Local ? localWindow : 0;
    const Operand& from = operand(1);
    ValueId source;
    if (Symbol* symbol = find(from.name); symbol != nullptr && symbol->kind != Symbol::Kind::Register)
        source = addressConstant(*symbol, Place::Wide);
    else
        source = input(from, Place::Wide);
    ValueId result = output(operand(0), Place::Wide);
    if (window == 0)
        emitForm("mov.u64", {result, source});
    else
        emitForm(toSpace ? "sub.u64" : "add.u64", {result, source, constant(window, Place::Wide)});
}

} // namespace emulator
